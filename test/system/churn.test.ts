// SPDX-License-Identifier: Apache-2.0
// Two hundred containers come and go on one host, sixteen calls at a time.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir } from "node:fs/promises";
import { before, describe, it } from "node:test";
import { parseBlock } from "../../src/model/ipam-block.ts";
import { blockPrefix } from "../../src/model/keys.ts";
import { type Result, callVariables, networkConfig } from "./cni-runtime.ts";
import {
  BUILD,
  type Lab,
  PLUGIN_EXECUTABLE,
  agentStatus,
  callCni,
  createLab,
  eventually,
  eventuallyEqual,
  readStore,
  succeed,
} from "./harness.ts";
import { PING_ONCE } from "./patience.ts";

const CONTAINERS = 200;
const PARALLEL = 16;
const ROUNDS = 2;
const MIB = 1024 * 1024;
/**
 * The engine's own share, compiled code above all, was seen to fall by three megabytes and to rise by nearly three from the start to the
 * end. What 400 containers leave shows beyond that: ten kilobytes each would.
 */
const ENGINE_BYTES = 4 * MIB;

/** Runs the tasks, so many at a time. */
async function inParallel<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const rest = [...items.entries()];
  const work = async (): Promise<void> => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift())
      results[next[0]] = await task(next[1]);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return results;
}

async function call(lab: Lab, command: "ADD" | "DEL", container: string): Promise<string> {
  const env = callVariables(command, container, container);
  const { code, stdout, stderr } = await callCni(networkConfig(lab), env, PLUGIN_EXECUTABLE);
  assert.equal(code, 0, `${command} ${container}: ${stdout}${stderr}`);
  return stdout;
}

/** What the datastore has: its keys, and who holds which address. */
async function records(lab: Lab): Promise<string> {
  const store = await readStore(lab);
  const holders = [...store].flatMap(([key, text]) => {
    if (!key.startsWith(blockPrefix(4))) return [];
    const block = parseBlock(text);
    assert.ok(block.kind === "ok", `${key} can be read`);
    const { allocations, attributes } = block.value;
    return allocations.flatMap((index, place) =>
      index === null ? [] : [`${key} ${place} ${JSON.stringify(attributes[index])}`],
    );
  });
  return [...store.keys(), ...holders].join("\n");
}

/** How much of each kind the agent wants, and what is amiss with it. */
async function dataplaneOf(lab: Lab): Promise<string> {
  const { dataplane } = await agentStatus(lab, "host1");
  return JSON.stringify([dataplane.wanted, dataplane.faults]);
}

async function descriptors(lab: Lab): Promise<number> {
  const { agent } = await lab.host("host1");
  return (await readdir(`/proc/${agent?.pid ?? assert.fail("no agent")}/fd`)).length;
}

/** Everything in the lab's directory. */
async function files(lab: Lab): Promise<string> {
  return (await readdir(`/run/margay/lab/${lab.name}`, { recursive: true })).sort().join("\n");
}

/** What the host has: links, routes and neighbours. */
async function inventory(lab: Lab): Promise<string> {
  const links = (await lab.exec("host1", "ip", "-br", "link")).replaceAll(/@if\d+/g, "");
  const routes = await lab.exec("host1", "ip", "route");
  const neighbours = await lab.exec("host1", "ip", "neigh", "show", "nud", "permanent");
  return [links, routes, neighbours].join("\n");
}

describe("200 containers on one host, by 16 calls at a time", () => {
  before(async () => {
    await succeed(BUILD, []);
  });

  it("are all reachable, share no address, and leave nothing when they go", async () => {
    await using lab = await createLab({ routeSource: "datastore" });
    const atFirst = await inventory(lab);
    const recorded = await records(lab);
    const stored = await files(lab);
    const open = await descriptors(lab);
    const settled = await agentStatus(lab, "host1");
    const wanted = await dataplaneOf(lab);
    const names = Array.from({ length: CONTAINERS }, (_, index) => `${lab.name}c${index}`);
    execFileSync("ip", ["-batch", "-"], { input: names.map((name) => `netns add ${name}\n`).join("") });
    try {
      let memory = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const results = await inParallel(names, (name) => call(lab, "ADD", name));
        const addresses = results.map(
          (text) => (JSON.parse(text) as Result).ips[0]?.address.split("/")[0] ?? "",
        );
        assert.equal(new Set(addresses).size, CONTAINERS, "no address twice");
        const unreached = await inParallel(addresses, async (address) => {
          const output = await lab.exec("d", ...PING_ONCE, address).catch(() => "lost");
          return output.includes("1 received") ? [] : [address];
        });
        assert.deepEqual(unreached.flat(), []);
        await inParallel(names, (name) => call(lab, "DEL", name));
        await eventuallyEqual(() => inventory(lab), atFirst);
        await eventuallyEqual(() => records(lab), recorded);
        await eventuallyEqual(() => dataplaneOf(lab), wanted);
        memory = (await agentStatus(lab, "host1")).memory.heapUsed;
      }
      const start = settled.memory.heapUsed;
      assert.ok(memory < start + ENGINE_BYTES, `memory grew from ${start} to ${memory} bytes`);
      // Connections that were kept for the next request close by themselves, also those that were open at the start.
      await eventually(async () => (await descriptors(lab)) <= open, `no more than ${open} descriptors`);
      await eventuallyEqual(() => files(lab), stored);
    } finally {
      execFileSync("ip", ["-batch", "-"], { input: names.map((name) => `netns del ${name}\n`).join("") });
    }
  });
});
