// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { processesAmong } from "./agents.ts";
import type { Occupant } from "./occupants.ts";

const CONFIG = "/run/margay/lab/demo/host1/agent.json";
const AGENT: Occupant = {
  pid: 300,
  parentPid: 1,
  netnsId: "4:1",
  command: "node",
  args: ["node", "margay.ts", "agent", "--config", CONFIG],
};
const BIRD: Occupant = {
  pid: 310,
  parentPid: 1,
  netnsId: "4:1",
  command: "bird",
  args: ["bird", "-c", "bird.conf", "-s", "bird.ctl"],
};
const PING: Occupant = { pid: 7, parentPid: 6, netnsId: "4:1", command: "ping", args: ["ping", "10.1.0.1"] };

it("finds a host's agent and its BIRD among what runs there", () => {
  assert.deepEqual(processesAmong([PING, AGENT, BIRD], CONFIG), { agentPid: 300, birdPid: 310 });
  assert.deepEqual(processesAmong([PING], CONFIG), { agentPid: undefined, birdPid: undefined });
});

it("takes no copy of the agent, about to become another program, for the agent", () => {
  const copy = { ...AGENT, pid: 12, parentPid: AGENT.pid };
  assert.equal(processesAmong([copy, AGENT], CONFIG).agentPid, AGENT.pid);
});

it("takes no BIRD that only reads a configuration for the one that runs", () => {
  const reader = { ...BIRD, pid: 12, parentPid: AGENT.pid, args: ["bird", "-p", "-c", "bird.conf.new"] };
  assert.equal(processesAmong([reader, AGENT, BIRD], CONFIG).birdPid, BIRD.pid);
});
