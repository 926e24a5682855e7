// SPDX-License-Identifier: Apache-2.0
// Containers go whatever becomes of the datastore, which is told later; and what has not outlived the node is cleared away.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Runtime, createRuntime } from "./cni-runtime.ts";
import {
  type Lab,
  MARGAY,
  agentStatus,
  createLab,
  eventually,
  eventuallyEqual,
  killAgent,
  readStore,
  succeed,
} from "./harness.ts";
import { PING_ONCE } from "./patience.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/three-hosts-etcd.yaml", import.meta.url));

let lab: Lab;
before(async () => {
  lab = await createLab({ routeSource: "datastore", topology: TOPOLOGY });
});
after(async () => {
  await lab[Symbol.asyncDispose]();
});

async function signalEtcd(signal: NodeJS.Signals): Promise<void> {
  const { etcd } = await lab.status();
  for (const { process: member } of etcd) process.kill(member?.pid ?? assert.fail(), signal);
}

async function killEtcd(): Promise<void> {
  await signalEtcd("SIGKILL");
  await eventually(async () => {
    const { reasons } = await agentStatus(lab, "host1");
    return reasons.some((reason) => reason.startsWith("datastore: "));
  }, "host1 missing its datastore");
}

const recordsOf = async (container: string): Promise<readonly string[]> =>
  Array.from(await readStore(lab)).flatMap(([key, value]) =>
    `${key} ${value}`.includes(`${container}"`) ? [key] : [],
  );
const isForgotten = async ({ netns }: Runtime, container: string): Promise<void> => {
  await eventually(
    async () => (await recordsOf(container)).length === 0,
    `the records of ${container} (${netns}) being gone`,
  );
};
const isClean = async (): Promise<void> => {
  await succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
};
const isUnwell = async (): Promise<readonly string[]> => (await agentStatus(lab, "host1")).reasons;

describe("while etcd is down", () => {
  it("containers are detached, by DEL and by GC, no other is attached, and etcd is told once it is back", async () => {
    await using first = await createRuntime(lab, "first-gone");
    await using second = await createRuntime(lab, "second-gone");
    await using third = await createRuntime(lab, "third-kept");
    for (const runtime of [first, second]) await runtime.add();
    const result = await third.add();
    await killEtcd();
    await first.succeeds("DEL");
    await third.succeeds("GC", {
      "cni.dev/valid-attachments": [{ containerID: "third-kept", ifname: "eth0" }],
    });
    for (const runtime of [first, second])
      assert.doesNotMatch(await runtime.exec("ip", "-br", "link"), /eth0/);
    assert.equal((await first.fails("ADD")).code, 11);
    await first.succeeds("DEL");
    // What is gone is nobody's fault.
    assert.deepEqual(
      (await isUnwell()).filter((reason) => !reason.startsWith("datastore: ")),
      [],
    );
    await lab.repair();
    await isForgotten(first, "first-gone");
    await isForgotten(second, "second-gone");
    await third.succeeds("CHECK", { prevResult: result });
    await third.succeeds("DEL");
    await isClean();
  });

  it("an agent that starts has the journal of the one before, and detaches before it has read anything", async () => {
    await using early = await createRuntime(lab, "early-gone");
    await using late = await createRuntime(lab, "late-gone");
    for (const runtime of [early, late]) await runtime.add();
    // Frozen, they are not started anew with the agent.
    await signalEtcd("SIGSTOP");
    const repaired = await (async () => {
      try {
        await early.succeeds("DEL");
        await killAgent(lab, "host1");
        const repairing = lab.repair();
        await eventually(async () => (await late.call("STATUS")).stdout.includes("is starting"), "the agent");
        await late.succeeds("DEL");
        assert.doesNotMatch(await late.exec("ip", "-br", "link"), /eth0/);
        return { repairing };
      } finally {
        await signalEtcd("SIGCONT");
      }
    })();
    await repaired.repairing;
    for (const [runtime, container] of [
      [early, "early-gone"],
      [late, "late-gone"],
    ] as const)
      await isForgotten(runtime, container);
    await isClean();
  });
});

it("an attachment of a container that the datastore still knows as gone is a new one", async () => {
  await using runtime = await createRuntime(lab, "again");
  await runtime.add();
  await killEtcd();
  await runtime.succeeds("DEL");
  await lab.repair();
  const result = await runtime.add();
  await runtime.succeeds("CHECK", { prevResult: result });
  await lab.exec("c", ...PING_ONCE, result.ips[0]?.address.replace("/32", "") ?? "");
  await runtime.succeeds("DEL");
  await isClean();
});

it("after a reboot, what containers held is given back when the agent starts, though nobody asks for it", async () => {
  await using runtime = await createRuntime(lab, "rebooted");
  await runtime.add();
  await killAgent(lab, "host1");
  // A reboot leaves no namespace, and so no interface.
  await succeed("ip", ["netns", "del", runtime.netns]);
  await lab.repair();
  await isForgotten(runtime, "rebooted");
  await eventuallyEqual(async () => (await isUnwell()).join("; "), "");
  await isClean();
});
