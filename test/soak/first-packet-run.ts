// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { type Lab, createLab, execute, succeed } from "../system/harness.ts";

interface Result {
  readonly ips: readonly { readonly address: string }[];
}

export interface Contacts {
  /** A container on another host. */
  readonly from: string;
  readonly count: number;
  readonly routeReadiness: "local" | "peers";
}

/** How addresses come about: in a block that all nodes know, each in a block of its own, or out of another node's block. */
export const CASES = {
  known: { pool: { cidr: "10.1.0.0/16" }, routeReadiness: "local" },
  new: { pool: { cidr: "10.1.0.0/16", blockSize: 32 }, routeReadiness: "peers" },
  // Two blocks of two addresses: host1's is full, and there is no third.
  borrowed: { pool: { cidr: "10.1.0.0/30", blockSize: 31 }, routeReadiness: "peers" },
} as const;

/** A lab in which host1 gives addresses of that kind. */
export async function createCaseLab(
  kind: keyof typeof CASES,
  routeSource: "bird" | "datastore",
): Promise<Lab> {
  using directory = mkdtempDisposableSync(join(tmpdir(), "margay-first-"));
  const topology = join(directory.path, "topology.json");
  writeFileSync(topology, JSON.stringify(topologyOf(CASES[kind].pool)));
  return await createLab({ routeSource, topology });
}

function topologyOf(pool: object): object {
  return {
    underlay: { segments: [{ name: "underlay0", cidr: "192.168.0.0/24" }] },
    hosts: [
      { name: "host1", address: "192.168.0.101" },
      { name: "host2", address: "192.168.0.102" },
    ],
    containers: [
      { name: "a", host: "host1" },
      { name: "b", host: "host1" },
      { name: "c", host: "host2" },
    ],
    pools: [{ name: "pool", ...pool }],
  };
}

/**
 * Attaches a container on host1, has one on host2 contact it at once by a single packet, and detaches it: so many times in a row, each time with another container. Gives those that were not reached.
 * The agent is asked as its plugin asks it, without a process for each.
 */
export async function contactNewContainers(
  lab: Lab,
  { from, count, routeReadiness }: Contacts,
): Promise<readonly string[]> {
  const call = (command: "ADD" | "DEL", container: string): Promise<unknown> =>
    callAgent(lab, { command, container, netns, routeReadiness });
  const netns = `margay-${lab.name}-first`;
  await succeed("ip", ["netns", "add", netns]);
  try {
    await succeed("ip", ["-n", netns, "link", "set", "lo", "up"]);
    const unreached: string[] = [];
    for (let number = 0; number < count; number++) {
      const container = `first${number}`;
      const { ips } = (await call("ADD", container)) as Result;
      const address = ips[0]?.address.split("/")[0] ?? assert.fail("no address");
      if (!(await isReached(lab, from, address))) unreached.push(`${container} at ${address}`);
      await call("DEL", container);
    }
    return unreached;
  } finally {
    await execute("ip", ["netns", "del", netns]);
  }
}

async function isReached(lab: Lab, from: string, address: string): Promise<boolean> {
  const ping = ["ping", "-n", "-c", "1", "-W", "2", address];
  return (await execute("ip", ["netns", "exec", `margay-${lab.name}-${from}`, ...ping])).code === 0;
}

interface AgentCall {
  readonly command: "ADD" | "DEL";
  readonly container: string;
  readonly netns: string;
  readonly routeReadiness: Contacts["routeReadiness"];
}

async function callAgent(
  lab: Lab,
  { command, container, netns, routeReadiness }: AgentCall,
): Promise<unknown> {
  const environment = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${netns}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: "/opt/cni/bin",
  };
  const config = { cniVersion: "1.0.0", name: "margay", type: "margay-cni", routeReadiness };
  const body = JSON.stringify({ environment, config });
  const asked = request({
    socketPath: lab.agentSocket("host1"),
    path: "/cni",
    method: "POST",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  });
  asked.end(body);
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const answer = await readText(response);
  assert.equal(response.statusCode, 200, `${command} ${container}: ${answer}`);
  return JSON.parse(answer);
}
