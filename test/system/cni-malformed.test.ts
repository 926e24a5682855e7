// SPDX-License-Identifier: Apache-2.0
// Thousands of calls that no sane runtime makes: each is answered as the specification wants, and none leaves anything.
import assert from "node:assert/strict";
import { it } from "node:test";
import { type PluginOutput, runPlugin } from "../../src/cni/plugin.ts";
import { createRandom } from "../../src/system/random.ts";
import { type MutatedCall, mutate } from "./cni-mutation.ts";
import { callVariables, createRuntime, networkConfig } from "./cni-runtime.ts";
import {
  BUILD,
  type Lab,
  MARGAY,
  PLUGIN_EXECUTABLE,
  agentStatus,
  createLab,
  eventually,
  execute,
  readStore,
  settled,
  succeed,
} from "./harness.ts";

const CALLS = 5000;
const LOOKS = 10;
const SEED = 20_261_128;

/** What there is on the host and in the datastore, in both their words. */
async function inventory(lab: Lab): Promise<string> {
  const { dataplane } = await agentStatus(lab, "host1");
  return [
    await lab.exec("host1", "ip", "-br", "link"),
    await lab.exec("host1", "ip", "route"),
    await lab.exec("host1", "ip", "neigh", "show", "nud", "permanent"),
    JSON.stringify([dataplane.wanted, dataplane.faults]),
    ...Array.from(await readStore(lab), (entry) => entry.join(" ")),
  ].join("\n");
}

const runSources = ({ environment, stdin }: MutatedCall): Promise<PluginOutput> =>
  runPlugin(environment, Buffer.from(stdin));

async function runExecutable({ environment: env, stdin }: MutatedCall): Promise<PluginOutput> {
  const { code, stdout, stderr } = await execute(PLUGIN_EXECUTABLE, [], { stdin, env });
  assert.ok(code === 0 || code === 1, stderr);
  assert.equal(stderr, "");
  return { stdout, exitCode: code };
}

it("mutated calls are answered, and leave nothing", async () => {
  await succeed(BUILD, []);
  await using lab = await createLab({ routeSource: "datastore" });
  await using runtime = await createRuntime(lab, "mutant");
  // A block of its own, and an address in use, before anything is compared.
  await runtime.add();
  await runtime.succeeds("DEL");
  const environment = {
    ...callVariables("ADD", "mutant", runtime.netns),
    CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default",
    CNI_PATH: "/opt/cni/bin",
  };
  const common = networkConfig(lab, { cniVersion: "1.1.0", name: "net" });
  const config = {
    ...common,
    ipam: { type: "calico-ipam", ipv4_pools: ["default-ipv4-ippool"] },
    dns: { nameservers: ["10.1.0.1"], search: ["a"] },
    capabilities: { ips: true, mac: true },
    runtimeConfig: {
      ips: ["10.1.250.1/32"],
      mac: "02:00:00:00:00:01",
      "io.kubernetes.cri.pod-annotations": { a: "b" },
    },
    args: { cni: { ips: ["10.1.250.2"] } },
    prevResult: {
      cniVersion: "1.1.0",
      interfaces: [{ name: "lo", sandbox: `/run/netns/${runtime.netns}` }],
      ips: [{ address: "10.1.250.1/32", interface: 0 }],
      routes: [{ dst: "0.0.0.0/0" }],
      dns: {},
    },
  };
  const attachments = [{ containerID: "mutant", ifname: "eth0" }];
  const configOf = (command: string): object =>
    command === "GC" ? { ...common, "cni.dev/valid-attachments": attachments } : config;
  const { agent } = await lab.host("host1");
  const before = await agentStatus(lab, "host1");
  const start = await settled(() => inventory(lab));
  const random = createRandom(SEED);
  const outcomes = new Map<string, number>();
  for (let number = 1; number <= CALLS; number++) {
    const call = mutate(random, { environment, configOf });
    const context = `call ${number} of seed ${SEED}: ${JSON.stringify(call)}`;
    // A process costs ten calls without one.
    const run = number % 5 === 0 ? runExecutable : runSources;
    const { stdout, exitCode } = await run(call);
    const command = call.environment["CNI_COMMAND"] ?? "";
    const outcome = outcomeOf(command, stdout, exitCode, context);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    // What has been added is taken away by the very same call.
    if (command === "ADD" && exitCode === 0) {
      const removed = await run({ ...call, environment: { ...call.environment, CNI_COMMAND: "DEL" } });
      assert.deepEqual(removed, { stdout: "", exitCode: 0 }, context);
    }
    if (number % (CALLS / LOOKS) === 0)
      await eventually(async () => (await inventory(lab)) === start, `the host as it was after ${context}`);
  }
  const after = await agentStatus(lab, "host1");
  assert.equal((await lab.host("host1")).agent?.pid, agent?.pid);
  assert.deepEqual(after.reasons, []);
  assert.ok(
    after.memory.heapUsed < before.memory.heapUsed + 20e6,
    JSON.stringify([before.memory, after.memory]),
  );
  await succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
  // Both kinds of calls were among them, good ones and bad ones of many sorts.
  assert.ok((outcomes.get("ADD well") ?? 0) > 20, JSON.stringify([...outcomes]));
  for (const code of [1, 2, 4, 6, 7])
    assert.ok((outcomes.get(`code ${code}`) ?? 0) > 0, JSON.stringify([...outcomes]));
  assert.equal(outcomes.get("code 199"), undefined, JSON.stringify([...outcomes]));
});

/** Fails where the answer is none that the specification has. */
function outcomeOf(command: string, stdout: string, exitCode: number, context: string): string {
  if (exitCode === 0) {
    assert.equal(stdout === "", command !== "ADD" && command !== "VERSION", context);
    if (stdout !== "")
      assert.equal(typeof (JSON.parse(stdout) as { cniVersion?: unknown }).cniVersion, "string", context);
    return `${command} well`;
  }
  const { cniVersion, code, msg, ...rest } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual([typeof cniVersion, typeof code, typeof msg], ["string", "number", "string"], context);
  assert.deepEqual(
    Object.keys(rest).filter((key) => key !== "details"),
    [],
    context,
  );
  return `code ${String(code)}`;
}
