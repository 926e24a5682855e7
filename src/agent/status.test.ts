// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BfdState } from "../bird/bfd.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { LONELY_BIRD, ROUTER } from "./bird-fixtures.ts";
import { ADDRESSES, NAMES, WANTED, WELL, running } from "./state-fixtures.ts";
import { type AgentState, degradationsOf, reasonsOf, renderStatus } from "./status.ts";

/** A session that is to have BFD, and what it has. */
function watched(bfd: BfdState | undefined): Partial<AgentState> {
  const bird = running("Established");
  assert.ok(bird.kind === "running");
  const session = {
    ...ROUTER,
    address: parseIpv4(ADDRESSES[0]),
    bfd: { minReceiveInterval: 300, minTransmitInterval: 300, multiplier: 3 },
  };
  return {
    wantedBird: { ...LONELY_BIRD, sessions: [session] },
    bird: { ...bird, sessions: bird.sessions.map((one) => ({ ...one, bfd })) },
  };
}

const FAULT = { kind: "route", key: "10.1.0.0/26 metric 1024", reason: "no way" } as const;
const MISSING_2 = 'bird: no session with node "host2" (192.168.0.102): Active';
const MISSING_3 = 'bird: no session with node "host3" (192.168.0.103): Idle';

interface Row {
  readonly what: string;
  readonly state: Partial<AgentState>;
  readonly reasons?: readonly string[];
  readonly degraded?: readonly string[];
}

const ROWS: readonly Row[] = [
  { what: "all is well", state: {} },
  {
    what: "the datastore cannot be reached",
    state: { datastoreTrouble: "nobody listens" },
    reasons: ["datastore: nobody listens"],
  },
  {
    what: "not everything has been read, whatever else there is",
    state: { isSynced: false, routeSourceTrouble: "refused", bird: { kind: "stopped" } },
    reasons: ["datastore: not everything has been read yet"],
    degraded: NAMES.map(
      (name, index) => `bird: no session with node "${name}" (${ADDRESSES[index] ?? ""}): not configured yet`,
    ),
  },
  {
    what: "an object cannot be programmed",
    state: { dataplane: { ...WELL.dataplane, faults: [FAULT] } },
    reasons: ["10.1.0.0/26 metric 1024: no way"],
  },
  {
    what: "an object waits for another",
    state: { dataplane: { ...WELL.dataplane, blocked: [FAULT] } },
  },
  {
    what: "BIRD refuses its configuration",
    state: { routeSourceTrouble: "BIRD refuses" },
    reasons: ["bird: BIRD refuses"],
  },
  {
    what: "one of two sessions is down",
    state: { bird: running("Established", "Idle") },
    degraded: [MISSING_3],
  },
  {
    what: "every session is down",
    state: { bird: running("Active", "Idle") },
    reasons: [MISSING_2, MISSING_3],
    degraded: [MISSING_2, MISSING_3],
  },
  {
    what: "a node is alone",
    state: { bird: running(), wantedBird: { ...WANTED, peers: [] } },
  },
  {
    what: "BIRD does not run",
    state: { bird: { kind: "stopped" }, wantedBird: { ...WANTED, peers: [] } },
    reasons: ["bird: it does not run yet"],
  },
  {
    what: "BIRD ended",
    state: { bird: { kind: "restarting", lastError: "killed" }, wantedBird: { ...WANTED, peers: [] } },
    reasons: ["bird: it ended and is started again: killed"],
  },
  {
    what: "BIRD is not the source of routes and does not run",
    state: { routeSource: "datastore", bird: { kind: "stopped" } },
  },
  {
    what: "another node still relies on a BIRD that is to be left",
    state: { routeSource: "datastore", relyingOnBird: ["host2"], bird: running("Established", "Idle") },
    degraded: ['bird: it goes on announcing, for node "host2" relies on it'],
  },
  {
    what: "another node relies on BIRD where BIRD is the source",
    state: { relyingOnBird: ["host2"] },
  },
  {
    what: "something stored cannot be read",
    state: { unreadable: ["datastore: cannot use it"] },
    degraded: ["datastore: cannot use it"],
  },
  {
    what: "something stored is not known",
    state: { ignored: ["datastore: no such field"] },
  },
  {
    what: "pools overlap",
    state: { poolIssues: [{ code: "conflict", path: "spec.cidr", message: "a overlaps b" }] },
    degraded: ["pools: a overlaps b: no address is taken from it"],
  },
  {
    what: "a session stands without the BFD that it should have",
    state: watched(undefined),
    degraded: ['bird: no BFD with BGPPeer "tor" (192.168.0.102): no session'],
  },
  {
    what: "the other side has no BFD",
    state: watched("Down"),
    degraded: ['bird: no BFD with BGPPeer "tor" (192.168.0.102): Down'],
  },
  { what: "BFD stands", state: watched("Up") },
  {
    what: "the API's port is taken",
    state: { apiTrouble: "EADDRINUSE" },
    degraded: ["api: EADDRINUSE"],
  },
  {
    what: "a tunnel is too large",
    state: { mtuIssues: ["MTU: does not fit"] },
    degraded: ["MTU: does not fit"],
  },
  {
    what: "packets are not encrypted that should be",
    state: { unencrypted: ["those of IPv6"] },
    degraded: ["wireguard: packets are not encrypted: those of IPv6"],
  },
];

describe("an agent's state", () => {
  for (const { what, state, reasons = [], degraded = [] } of ROWS) {
    const isReady = reasons.length === 0;
    it(`is ${isReady ? "ready" : "not ready"} where ${what}`, () => {
      const whole = { ...WELL, ...state };
      assert.deepEqual(reasonsOf(whole), reasons);
      assert.deepEqual(degradationsOf(whole), degraded);
      const status = renderStatus(whole, { version: "1.2.3", pid: 7, memory: { rss: 2, heapUsed: 1 } });
      assert.deepEqual([status.ready, status.reasons, status.degraded], [isReady, reasons, degraded]);
    });
  }

  it("shows BIRD where it runs, and null where it does not", () => {
    const own = { version: "1.2.3", pid: 7, memory: { rss: 2, heapUsed: 1 } };
    const { bird } = renderStatus(WELL, own);
    assert.deepEqual({ kind: "running", ...bird }, WELL.bird);
    assert.equal(bird !== null && "kind" in bird, false);
    assert.equal(renderStatus({ ...WELL, bird: { kind: "stopped" } }, own).bird, null);
  });
});
