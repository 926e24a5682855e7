// SPDX-License-Identifier: Apache-2.0
// Checksums that are left to the network card, on a network where they come out wrong inside VXLAN.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Lab, MARGAY, createLab, eventually, eventuallyEqual, killAgent, node } from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { FELIX_KEY, TWO_SUBNETS_DUAL_STACK, failedPairs, patch, streamDuring } from "./tunnel-harness.ts";

const RELAY = fileURLToPath(new URL("./frame-relay.ts", import.meta.url));
const HOSTS = ["host1", "host2", "host3"] as const;

/** Has everything that host3 sends and gets pass a network card that finishes no checksums. */
async function breakCardOf(lab: Lab): Promise<ChildProcess> {
  const underlay = (...command: readonly string[]): Promise<string> => lab.exec("underlay", ...command);
  const [{ master }] = JSON.parse(await underlay("ip", "-json", "link", "show", "host3")) as [
    { master: string },
  ];
  await underlay("ip", "link", "add", "relay0", "type", "veth", "peer", "name", "relay1");
  await underlay("ip", "link", "set", "host3", "nomaster");
  await underlay("ip", "link", "set", "relay0", "master", master);
  for (const link of ["relay0", "relay1"]) await underlay("ip", "link", "set", link, "up");
  const relay = lab.start("underlay", process.execPath, RELAY, "host3", "relay1");
  await once(relay.stdout ?? assert.fail(), "data");
  return relay;
}

describe("checksums inside VXLAN", () => {
  let lab: Lab;
  let relay: ChildProcess | undefined;
  let agents: readonly ChildProcess[] = [];
  before(async () => {
    lab = await createLab({ topology: TWO_SUBNETS_DUAL_STACK, routeSource: "datastore" });
  });
  after(async () => {
    for (const child of [relay, ...agents]) child?.kill("SIGKILL");
    await lab[Symbol.asyncDispose]();
  });
  /** On each host and in each family, whether its device leaves checksums to the card, and what its agent says of that; once, where it is the same everywhere. */
  const states = async (): Promise<string> => {
    const statesOf = async (host: string): Promise<readonly string[]> => {
      const { stdout } = await node(lab, host, "status", "--json");
      const { tunnels } = JSON.parse(stdout) as {
        readonly tunnels: readonly { readonly checksums?: string }[];
      };
      const ofDevice = async (device: string, index: number): Promise<string> => {
        const features = await lab.exec(host, "ethtool", "-k", device);
        return [/tx-checksumming: (\w+)/.exec(features)?.[1], tunnels[index]?.checksums].join(" ");
      };
      return await Promise.all(["vxlan.calico", "vxlan-v6.calico"].map(ofDevice));
    };
    return [...new Set((await Promise.all(HOSTS.map(statesOf))).flat())].join(", ");
  };
  /** Not by the lab, which would repair the cable. */
  const restartAgents = async (): Promise<void> => {
    // host1 last: it has the datastore.
    if (agents.length === 0) for (const host of HOSTS.toReversed()) await killAgent(lab, host);
    for (const agent of agents.toReversed()) {
      agent.kill("SIGKILL");
      await once(agent, "close");
    }
    agents = HOSTS.map((host) => {
      const agent = lab.start(
        host,
        MARGAY,
        "agent",
        "--config",
        `/run/margay/lab/${lab.name}/${host}/agent.json`,
      );
      agent.stderr?.resume();
      return agent;
    });
    for (const host of HOSTS)
      await eventually(async () => (await node(lab, host, "status")).code === 0, `the agent of ${host}`);
  };

  it("are left to the card where that is found to be right", async () => {
    for (const host of HOSTS) {
      const log = `/run/margay/lab/${lab.name}/${host}/agent.log`;
      for (const family of [4, 6])
        await eventually(
          async () => (await readFile(log, "utf8")).includes(`come out right inside VXLAN of IPv${family}`),
          log,
        );
    }
    await eventuallyEqual(states, "on offloaded");
  });

  it("come out wrong on a card that does not look inside: pings pass, and nothing else does", async () => {
    relay = await breakCardOf(lab);
    for (const address of (await lab.container("c")).addresses)
      await lab.exec("a", ...PING_ONCE, address.split("/")[0] ?? "");
    const far = ["a c", "b c", "c a", "c b"];
    // Once for each family.
    assert.deepEqual(await failedPairs(lab), [...far, ...far].sort());
  });

  it("are computed by the nodes, once they have found that out", async () => {
    await restartAgents();
    await eventuallyEqual(states, "off computed");
    assert.deepEqual(await failedPairs(lab), []);
    for (const address of (await lab.container("c")).addresses)
      await streamDuring(lab, "a", "c", () => Promise.resolve(), address.split("/")[0]);
    const { stdout } = await node(lab, "host3", "status");
    for (const tunnel of ["vxlan", "vxlan6"])
      assert.match(
        stdout,
        new RegExp(
          `^ *${tunnel} .*; the node computes checksums: those left to the network card come out wrong`,
          "m",
        ),
      );
  });

  it("still are after the agents were started again", async () => {
    await restartAgents();
    await eventuallyEqual(states, "off computed");
    assert.deepEqual(await failedPairs(lab), []);
  });

  it("are left to the card again where a person says so", async () => {
    await patch(lab, FELIX_KEY, { spec: { featureDetectOverride: "ChecksumOffloadBroken=false" } });
    await eventuallyEqual(states, "on offloaded");
  });
});
