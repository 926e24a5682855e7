// SPDX-License-Identifier: Apache-2.0
// What runtimes may ask of the plugin beyond a container and its removal: results of every version, addresses as asked, chains, GC and STATUS.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { resourceKey } from "../../src/model/keys.ts";
import { type Result, createRuntime } from "./cni-runtime.ts";
import { type Lab, MARGAY, createLab, eventually, killAgent, readStore, succeed } from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { patch } from "./tunnel-harness.ts";

let lab: Lab;
before(async () => {
  lab = await createLab({ routeSource: "datastore" });
});
after(async () => {
  await lab[Symbol.asyncDispose]();
});

const isReached = async (address: string): Promise<void> => {
  await lab.exec("d", ...PING_ONCE, address);
};
const addressOf = ({ ips }: Result): string =>
  ips[0]?.address.replace("/32", "") ?? assert.fail("no address");
/** What the datastore has of the container. */
const recordsOf = async (container: string): Promise<readonly string[]> =>
  Array.from(await readStore(lab)).flatMap(([key, value]) =>
    new RegExp(`\\b${container}\\b`).test(key + value) ? [key] : [],
  );
const POOL = resourceKey("IPPool", "default-ipv4-ippool");

describe("the result of ADD", () => {
  for (const cniVersion of ["0.1.0", "0.2.0"])
    it(`of ${cniVersion} knows an address, its gateway and its routes`, async () => {
      await using runtime = await createRuntime(lab, "old");
      const result = (await runtime.add({ cniVersion })) as unknown as Record<string, unknown>;
      const address = (await runtime.exec("ip", "-br", "-4", "addr", "show", "eth0")).match(/10\.\S+/)?.[0];
      const gateway = "169.254.1.1";
      assert.deepEqual(result, {
        cniVersion,
        ip4: { ip: address, gateway, routes: [{ dst: "0.0.0.0/0", gw: gateway }] },
        dns: {},
      });
      await runtime.succeeds("DEL", { cniVersion });
    });

  it("of 1.1.0 has the MTU that interfaces have", async () => {
    await using runtime = await createRuntime(lab, "mtu");
    const { interfaces } = await runtime.add();
    const link = await runtime.exec("ip", "link", "show", "eth0");
    for (const { name, mtu } of interfaces) assert.match(link, new RegExp(`mtu ${mtu}`), name);
    await runtime.succeeds("DEL");
  });

  it("keeps what the plugins before have made, and is where the next plugin finds it", async () => {
    await using runtime = await createRuntime(lab, "chain");
    const prevResult = {
      cniVersion: "1.1.0",
      interfaces: [{ name: "dummy0", sandbox: "/run/netns/x" }],
      ips: [{ address: "10.9.9.9/24", interface: 0 }],
      routes: [{ dst: "10.9.0.0/16" }],
      dns: { domain: "x" },
    };
    const { interfaces, ips, routes, dns } = await runtime.add({
      prevResult,
      dns: { nameservers: ["10.9.9.1"] },
    });
    assert.deepEqual(
      [interfaces[0], ips[0], routes[0]],
      [prevResult.interfaces[0], prevResult.ips[0], prevResult.routes[0]],
    );
    assert.equal(interfaces[ips[1]?.interface ?? -1]?.name, "eth0");
    assert.deepEqual(dns, { domain: "x", nameservers: ["10.9.9.1"] });
    const result = { cniVersion: "1.1.0", interfaces, ips, routes, dns };
    await runtime.succeeds("CHECK", { prevResult: result });
    await runtime.succeeds("DEL", { prevResult: result });
  });
});

describe("an address as asked", () => {
  it("is given, with its MAC address, and reached from elsewhere", async () => {
    await using runtime = await createRuntime(lab, "asked");
    const runtimeConfig = { ips: ["10.1.250.7/24"], mac: "02:00:00:00:00:07" };
    const result = await runtime.add({ runtimeConfig });
    assert.equal(addressOf(result), "10.1.250.7");
    const seen = await runtime.exec("ip", "addr", "show", "eth0");
    assert.match(seen, /02:00:00:00:00:07/);
    assert.match(seen, /10\.1\.250\.7\/32/);
    await eventually(
      () =>
        isReached("10.1.250.7").then(
          () => true,
          () => false,
        ),
      "the address being reached",
    );
    await runtime.succeeds("CHECK", { runtimeConfig, prevResult: result });
    await runtime.succeeds("DEL", { runtimeConfig });
  });

  it("is refused with its owner's name where it is somebody's, and leaves nothing", async () => {
    await using runtime = await createRuntime(lab, "runner-up");
    const owner = await lab.address("d");
    const { code, msg } = await runtime.fails("ADD", {}, { CNI_ARGS: `IgnoreUnknown=1;IP=${owner}` });
    assert.deepEqual(
      [code, msg],
      [102, `Cannot assign "${owner}": it is held by "margay.d" on node "host2"`],
    );
    assert.deepEqual(await recordsOf("runner-up"), []);
  });

  it("is refused where no pool has it", async () => {
    await using runtime = await createRuntime(lab, "outside");
    const { code, msg } = await runtime.fails("ADD", { args: { cni: { ips: ["192.0.2.1"] } } });
    assert.deepEqual([code, msg], [102, 'Cannot assign "192.0.2.1": it is in no pool of the request']);
  });
});

describe("CHECK beyond the container", () => {
  it("names a route of another owner that stands in the place of the node's", async () => {
    await using runtime = await createRuntime(lab, "crossed");
    const result = await runtime.add();
    const dst = addressOf(result);
    await lab.exec("host1", "ip", "route", "replace", dst, "dev", "lo", "proto", "static");
    const isNoticed = async (): Promise<boolean> =>
      (await runtime.call("CHECK", { prevResult: result })).code !== 0;
    await eventually(isNoticed, "the other's route being noticed");
    const { code, msg } = await runtime.fails("CHECK", { prevResult: result });
    assert.equal(code, 101, msg);
    assert.ok(msg.includes(`${dst}/32`), msg);
    await lab.exec("host1", "ip", "route", "del", dst, "dev", "lo", "proto", "static");
    await eventually(
      async () => (await runtime.call("CHECK", { prevResult: result })).code === 0,
      "the node's own route",
    );
    await runtime.succeeds("DEL");
  });

  it("names an address that IPAM gives to others", async () => {
    await using runtime = await createRuntime(lab, "robbed");
    const result = await runtime.add();
    const ip = addressOf(result);
    await succeed(MARGAY, ["ipam", "release", "--ip", ip, "--force", "--socket", lab.agentSocket("host1")]);
    const { code, msg } = await runtime.fails("CHECK", { prevResult: result });
    assert.equal(code, 101, msg);
    assert.match(msg, new RegExp(`address "${ip}" is not recorded as the container's`));
    await runtime.succeeds("DEL");
  });

  it("names an address that the result does not list", async () => {
    await using runtime = await createRuntime(lab, "mistold");
    const result = await runtime.add();
    const { msg } = await runtime.fails("CHECK", { prevResult: { ...result, ips: [] } });
    assert.match(msg, /prevResult does not list address/);
    await runtime.succeeds("DEL");
  });
});

describe("GC", () => {
  it("takes away what of the network is not valid any more, and nothing else", async () => {
    await using kept = await createRuntime(lab, "kept");
    await using stale = await createRuntime(lab, "stale");
    await using unrecorded = await createRuntime(lab, "unrecorded");
    await using other = await createRuntime(lab, "other", { network: "other" });
    const result = await kept.add();
    const [left] = [await stale.add(), await unrecorded.add(), await other.add()];
    // As an ADD leaves it that was cut off, and of which only the address is known.
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    await store.delete(resourceKey("WorkloadEndpoint", "host1-cni-unrecorded-eth0", "default"));
    await kept.succeeds("GC", { "cni.dev/valid-attachments": [{ containerID: "kept", ifname: "eth0" }] });
    assert.deepEqual(await recordsOf("stale"), []);
    assert.deepEqual(await recordsOf("unrecorded"), []);
    assert.doesNotMatch(await stale.exec("ip", "-br", "link"), /eth0/);
    await eventually(
      async () => !(await lab.exec("host1", "ip", "route")).includes(addressOf(left)),
      "the route to the container being gone",
    );
    await kept.succeeds("CHECK", { prevResult: result });
    assert.equal((await recordsOf("other")).length > 0, true);
    await isReached(addressOf(result));
    await lab.margay("check");
    for (const runtime of [kept, other]) await runtime.succeeds("DEL");
    await other.succeeds("DEL", { name: "other" });
    await succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
  });

  it("is refused without a list", async () => {
    await using runtime = await createRuntime(lab, "listless");
    const result = await runtime.add();
    assert.equal((await runtime.fails("GC")).code, 7);
    await runtime.succeeds("CHECK", { prevResult: result });
    await runtime.succeeds("DEL");
  });
});

describe("STATUS", () => {
  it("is well, and says why where ADD would fail", async () => {
    await using runtime = await createRuntime(lab, "status");
    await runtime.succeeds("STATUS");
    const none = await runtime.fails("STATUS", { ipam: { ipv4_pools: ["frob"] } });
    assert.deepEqual(
      [none.code, none.msg],
      [50, 'Cannot use network configuration: ipam.ipv4_pools[0]: there is no IPPool "frob"'],
    );
    await patch(lab, POOL, { spec: { disabled: true } });
    await eventually(async () => (await runtime.call("STATUS")).code !== 0, "the pool being disabled");
    assert.match((await runtime.fails("STATUS")).msg, /no IPPool is enabled/);
    await patch(lab, POOL, { spec: { disabled: false } });
    await eventually(async () => (await runtime.call("STATUS")).code === 0, "the pool being enabled");
  });

  it("is code 51 where containers may not reach everything, and 50 without an agent", async () => {
    await using runtime = await createRuntime(lab, "unwell");
    await lab.exec("host1", "ip", "addr", "del", "192.168.0.101/24", "dev", "eth0");
    await eventually(async () => (await runtime.call("STATUS")).code !== 0, "the node being unwell");
    const { code, msg } = await runtime.fails("STATUS");
    assert.equal(code, 51, msg);
    assert.match(msg, /no interface has 192\.168\.0\.101 any more/);
    await lab.exec("host1", "ip", "addr", "add", "192.168.0.101/24", "dev", "eth0");
    await eventually(async () => (await runtime.call("STATUS")).code === 0, "the node being well");
    await killAgent(lab, "host1");
    assert.equal((await runtime.fails("STATUS")).code, 50);
    await lab.repair();
  });
});
