// SPDX-License-Identifier: Apache-2.0
// Views for tests.
import { byId } from "./by-id.ts";
import type { Item, View } from "./view.ts";

export const EMPTY_VIEW: View = {
  scope: "node",
  name: "host1",
  version: "0.1.0",
  at: 0,
  segments: [],
  machines: [],
  nodes: [],
  containers: [],
  sessions: [],
  tunnels: [],
  pools: [],
  blocks: [],
  counters: [],
};

export function nodeItem(more: Partial<Item<"nodes">> = {}): Item<"nodes"> {
  return {
    id: "host1",
    machine: "host1",
    addresses: ["192.168.0.101"],
    isOwn: true,
    isAnswering: true,
    isReady: true,
    version: "0.1.0",
    reasons: [],
    degraded: [],
    routeSource: "bird",
    encapsulations: [],
    routesByOrigin: { agent: 1, bird: 1, kernel: 1, other: 0 },
    ...more,
  };
}

export function machineItem(isUp: boolean | null, more: Partial<Item<"machines">> = {}): Item<"machines"> {
  const port = { segment: "lan", interface: "eth0", address: "192.168.0.101", isUp };
  return { id: "host1", name: "host1", kind: "host", ports: [port], ...more };
}

export function containerItem(more: Partial<Item<"containers">> = {}): Item<"containers"> {
  return {
    id: "host1/cali1",
    name: "a",
    node: "host1",
    interface: "cali1",
    addresses: ["10.1.0.1"],
    isReady: true,
    missing: [],
    ...more,
  };
}

export function sessionItem(more: Partial<Item<"sessions">> = {}): Item<"sessions"> {
  return {
    id: "host1/192.168.0.102",
    from: "host1",
    to: "host2",
    with: 'node "host2"',
    address: "192.168.0.102",
    family: 4,
    state: "Established",
    isWanted: true,
    sinceMs: 0,
    imported: 1,
    exported: 1,
    lastError: null,
    ...more,
  };
}

export function tunnelItem(more: Partial<Item<"tunnels">> = {}): Item<"tunnels"> {
  return {
    id: "host1/vxlan",
    node: "host1",
    kind: "vxlan",
    interface: "vxlan.calico",
    address: "10.1.0.9",
    mtu: 1450,
    isUp: true,
    peers: ["host2"],
    ...more,
  };
}

export function blockItem(more: Partial<Item<"blocks">> = {}): Item<"blocks"> {
  return {
    id: "10.1.0.0/26",
    pool: "pool",
    node: "host1",
    size: 64,
    used: 1,
    cooling: 0,
    free: 63,
    ...more,
  };
}

/** Some of a few things each time, so that two views have some in common. */
export function randomView(random: () => number): View {
  const digits = [0, 1, 2, 3, 4, 5];
  const some = <T extends { readonly id: string }>(make: (digit: number) => T): readonly T[] =>
    byId(digits.filter(() => random() < 0.6).map(make));
  const flip = (): boolean => random() < 0.5;
  return {
    ...EMPTY_VIEW,
    at: Math.floor(random() * 1e6),
    machines: some((digit) => machineItem(flip(), { id: `host${digit}` })),
    nodes: some((digit) => nodeItem({ id: `host${digit}`, isReady: flip() })),
    containers: some((digit) => containerItem({ id: `host1/cali${digit}`, isReady: flip() })),
    sessions: some((digit) => sessionItem({ id: `host1/${digit}`, state: flip() ? "Established" : null })),
    tunnels: some((digit) => tunnelItem({ id: `host1/${digit}`, isUp: flip() })),
    blocks: some((digit) => blockItem({ id: `10.1.${digit}.0/26`, node: flip() ? "host1" : null })),
    counters: some((digit) => {
      const count = Math.floor(random() * 3);
      return { id: `host1/cali${digit}`, rxPackets: count, rxBytes: count, txPackets: 0, txBytes: 0 };
    }),
  };
}
