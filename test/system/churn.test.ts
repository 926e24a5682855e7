// SPDX-License-Identifier: Apache-2.0
// Two hundred containers come and go on one host, sixteen calls at a time.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { type Lab, agentStatus, callCni, createLab, eventuallyEqual } from "./harness.ts";

const CONTAINERS = 200;
const PARALLEL = 16;

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

interface Result {
  readonly ips: readonly { readonly address: string }[];
}

async function call(lab: Lab, command: "ADD" | "DEL", container: string): Promise<string> {
  const config = {
    cniVersion: "1.0.0",
    name: "margay",
    type: "margay-cni",
    agentSocket: lab.agentSocket("host1"),
  };
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${container}`,
    CNI_IFNAME: "eth0",
  };
  const { code, stdout, stderr } = await callCni(config, env);
  assert.equal(code, 0, `${command} ${container}: ${stdout}${stderr}`);
  return stdout;
}

/** What the host has: links, routes, neighbours, and files of the datastore's addresses. */
async function inventory(lab: Lab): Promise<string> {
  const links = (await lab.exec("host1", "ip", "-br", "link")).replaceAll(/@if\d+/g, "");
  const routes = await lab.exec("host1", "ip", "route");
  const neighbours = await lab.exec("host1", "ip", "neigh", "show", "nud", "permanent");
  return [links, routes, neighbours].join("\n");
}

describe("200 containers on one host, by 16 calls at a time", () => {
  it(
    "are all reachable, share no address, and leave nothing when they go",
    { timeout: 300_000 },
    async () => {
      await using lab = await createLab({ routeSource: "datastore" });
      const before = await inventory(lab);
      const settled = await agentStatus(lab, "host1");
      const names = Array.from({ length: CONTAINERS }, (_, index) => `${lab.name}c${index}`);
      execFileSync("ip", ["-batch", "-"], { input: names.map((name) => `netns add ${name}\n`).join("") });
      try {
        let memory = 0;
        for (const round of ["first", "second"]) {
          const results = await inParallel(names, (name) => call(lab, "ADD", name));
          const addresses = results.map(
            (text) => (JSON.parse(text) as Result).ips[0]?.address.split("/")[0] ?? "",
          );
          assert.equal(new Set(addresses).size, CONTAINERS, "no address twice");
          const unreached = await inParallel(addresses, async (address) => {
            const output = await lab
              .exec("d", "ping", "-n", "-c", "1", "-W", "5", address)
              .catch(() => "lost");
            return output.includes("1 received") ? [] : [address];
          });
          assert.deepEqual(unreached.flat(), []);
          await inParallel(names, (name) => call(lab, "DEL", name));
          await eventuallyEqual(() => inventory(lab), before);
          const { dataplane, memory: now } = await agentStatus(lab, "host1");
          assert.deepEqual([dataplane.wanted, dataplane.faults], [settled.dataplane.wanted, []]);
          if (round === "first") memory = now.heapUsed;
          else
            assert.ok(
              now.heapUsed < memory + 1024 * 1024,
              `memory grew from ${memory} to ${now.heapUsed} bytes`,
            );
        }
      } finally {
        execFileSync("ip", ["-batch", "-"], { input: names.map((name) => `netns del ${name}\n`).join("") });
      }
    },
  );
});
