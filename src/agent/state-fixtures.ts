// SPDX-License-Identifier: Apache-2.0
import type { BirdStatus } from "../bird/bird.ts";
import type { SessionState } from "../model/bgp-session.ts";
import { type WantedBird, forEveryKind } from "../desired/wanted.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { LONELY_BIRD } from "./bird-fixtures.ts";
import type { AgentState } from "./status.ts";

/** Other nodes, and their addresses in the same order. */
export const NAMES = ["host2", "host3"] as const;
export const ADDRESSES = ["192.168.0.102", "192.168.0.103"] as const;

export const WANTED: WantedBird = {
  ...LONELY_BIRD,
  peers: NAMES.map((name, index) => ({
    name,
    address: parseIpv4(ADDRESSES[index] ?? ""),
    asNumber: 64512,
  })),
};

/** A BIRD with sessions in these states, with {@link NAMES} in order. */
export function running(...states: readonly SessionState[]): BirdStatus {
  const sessions = states.map((state, index) => ({
    name: `mesh_${index}`,
    peer: parseIpv4(ADDRESSES[index] ?? ""),
    state,
    sinceMs: 0,
    imported: 0,
    exported: 0,
    peerRestarting: false,
    lastError: undefined,
    bfd: undefined,
  }));
  return { kind: "running", pid: 1, version: "2.0.12", sessions, recovering: false };
}

/** An agent with which all is well, for tests. */
export const WELL: AgentState = {
  nodeName: "host1",
  address: { address: "192.168.0.101/24", reason: "first-found: eth0 has the default route", passedOver: [] },
  addressTrouble: undefined,
  ipv6Address: undefined,
  ipv6AddressTrouble: undefined,
  datastoreTrouble: undefined,
  isSynced: true,
  routeSource: "bird",
  pools: [],
  mtu: { underlay: 1500, containers: 1450 },
  tunnels: [],
  routeSourceTrouble: undefined,
  tunnelTroubles: [],
  detours: [],
  unencrypted: [],
  relyingOnBird: [],
  unreadable: [],
  ignored: [],
  poolIssues: [],
  mtuIssues: [],
  wantedBird: WANTED,
  bgpIssues: [],
  bird: running("Established", "Established"),
  apiTrouble: undefined,
  dataplane: {
    isSettled: true,
    wanted: forEveryKind(() => 0),
    faults: [],
    blocked: [],
  },
  unroutable: [],
};
