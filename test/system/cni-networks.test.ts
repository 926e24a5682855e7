// SPDX-License-Identifier: Apache-2.0
// A container on several networks, or on one several times: each interface has an address that is reached, and answers by the interface it was asked at.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Result, type Runtime, createRuntime } from "./cni-runtime.ts";
import { type Lab, MARGAY, createLab, eventually, readStore, succeed } from "./harness.ts";
import { PING_ONCE } from "./patience.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url));
const BOTH_FAMILIES = { ipam: { assign_ipv6: "true" } };

let lab: Lab;
before(async () => {
  lab = await createLab({ routeSource: "datastore", topology: TOPOLOGY });
});
after(async () => {
  await lab[Symbol.asyncDispose]();
});

const addressesOf = ({ ips }: Result): readonly string[] =>
  ips.map(({ address }) => address.split("/")[0] ?? "");
const isReached = async (address: string): Promise<void> => {
  await lab.exec("d", ...PING_ONCE, address);
};
/** Asked from all of its own addresses, another node's container answers. */
const reaches = async (runtime: Runtime, from: readonly string[]): Promise<void> => {
  const { addresses } = await lab.container("d");
  for (const source of from) {
    const target = addresses
      .map((address) => address.split("/")[0] ?? "")
      .find((ip) => ip.includes(":") === source.includes(":"));
    await runtime.exec(...PING_ONCE, "-I", source, target ?? assert.fail("no address"));
  }
};

/** Nor tables that they lead to. */
const hasNoRules = async (runtime: Runtime): Promise<void> => {
  for (const family of ["-4", "-6"]) {
    assert.doesNotMatch(await runtime.exec("ip", family, "rule"), /from (10|f)|lookup 1\d{4}/);
    assert.doesNotMatch(await runtime.exec("ip", family, "route", "show", "table", "all"), /table 1\d{4}/);
  }
};

for (const second of ["other", "net"])
  describe(`a container with an interface on network "net" and one on network "${second}"`, () => {
    const onSecond = { ...BOTH_FAMILIES, name: second };
    const eth1 = { CNI_IFNAME: "eth1" };

    it("is reached at both, in both families, and each is checked and taken away by itself", async () => {
      await using runtime = await createRuntime(lab, "twice");
      const first = await runtime.add(BOTH_FAMILIES);
      const further = await runtime.add(onSecond, eth1);
      assert.deepEqual(
        first.routes.map(({ dst }) => dst),
        ["0.0.0.0/0", "::/0"],
      );
      assert.match(
        await runtime.exec("ip", "route", "show", "default"),
        /^default via 169\.254\.1\.1 dev eth0/,
      );
      for (const address of [...addressesOf(first), ...addressesOf(further)]) await isReached(address);
      await reaches(runtime, [...addressesOf(first), ...addressesOf(further)]);
      const checks = async (): Promise<void> => {
        await runtime.succeeds("CHECK", { ...BOTH_FAMILIES, prevResult: first });
        await runtime.succeeds("CHECK", { ...onSecond, prevResult: further }, eth1);
      };
      await checks();
      await runtime.succeeds("DEL", onSecond, eth1);
      await hasNoRules(runtime);
      await runtime.succeeds("CHECK", { ...BOTH_FAMILIES, prevResult: first });
      for (const address of addressesOf(first)) await isReached(address);
      await runtime.succeeds("DEL", BOTH_FAMILIES);
      await succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
    });

    it("goes on with the second where the first is taken away", async () => {
      await using runtime = await createRuntime(lab, "left");
      await runtime.add(BOTH_FAMILIES);
      const further = await runtime.add(onSecond, eth1);
      await runtime.succeeds("DEL", BOTH_FAMILIES);
      for (const address of addressesOf(further)) await isReached(address);
      await reaches(runtime, addressesOf(further));
      await runtime.succeeds("CHECK", { ...onSecond, prevResult: further }, eth1);
      const third = await runtime.add(BOTH_FAMILIES);
      assert.equal(third.routes.length, 2);
      for (const address of [...addressesOf(further), ...addressesOf(third)]) await isReached(address);
      await runtime.succeeds("DEL", onSecond, eth1);
      await runtime.succeeds("DEL", BOTH_FAMILIES);
    });
  });

it("GC takes away the interfaces that are not valid any more, with the addresses of both families", async () => {
  await using runtime = await createRuntime(lab, "partly");
  const first = await runtime.add(BOTH_FAMILIES);
  const further = await runtime.add(BOTH_FAMILIES, { CNI_IFNAME: "eth1" });
  await runtime.succeeds("GC", { "cni.dev/valid-attachments": [{ containerID: "partly", ifname: "eth0" }] });
  const stored = Array.from(await readStore(lab), (entry) => entry.join(" ")).join("\n");
  assert.match(stored, /"interface":"eth0"/);
  assert.doesNotMatch(stored, /"interface":"eth1"/);
  await hasNoRules(runtime);
  for (const address of addressesOf(first)) await isReached(address);
  const routes = async (): Promise<string> =>
    (await lab.exec("host1", "ip", "route")) + (await lab.exec("host1", "ip", "-6", "route"));
  for (const address of addressesOf(further))
    await eventually(
      async () => !(await routes()).includes(`${address} `),
      `the route to ${address} being gone`,
    );
  await runtime.succeeds("GC", { "cni.dev/valid-attachments": [] });
  await succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
});

it("DEL takes away the rules of a further interface also where it is not told of the namespace", async () => {
  await using runtime = await createRuntime(lab, "untold");
  await runtime.add(BOTH_FAMILIES);
  await runtime.add(BOTH_FAMILIES, { CNI_IFNAME: "eth1" });
  assert.match(await runtime.exec("ip", "rule"), /from 10\.1\.\S+ lookup 1\d{4}/);
  await runtime.succeeds("DEL", BOTH_FAMILIES, { CNI_IFNAME: "eth1", CNI_NETNS: "" });
  await hasNoRules(runtime);
  await runtime.succeeds("DEL", BOTH_FAMILIES);
});

it("CHECK of a further interface names what is missing of it", async () => {
  await using runtime = await createRuntime(lab, "damaged");
  await runtime.add();
  const onOther = { name: "other" };
  const eth1 = { CNI_IFNAME: "eth1" };
  const further = await runtime.add(onOther, eth1);
  const [address = ""] = addressesOf(further);
  await runtime.exec("ip", "rule", "del", "from", address);
  const { code, msg } = await runtime.fails("CHECK", { ...onOther, prevResult: further }, eth1);
  assert.equal(code, 101);
  assert.match(msg, new RegExp(`the rule for packets from "${address}" is missing`));
  await runtime.succeeds("DEL", onOther, eth1);
  await runtime.succeeds("DEL");
  await eventually(
    async () => !(await lab.exec("host1", "ip", "route")).includes(address),
    "the route to the container being gone",
  );
});
