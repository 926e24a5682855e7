// SPDX-License-Identifier: Apache-2.0
// VXLAN on labs: what is on the wire, what is repaired, and changes of mode while packets flow.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { mergePatch } from "../../src/model/merge-patch.ts";
import { type Lab, createLab, eventually, eventuallyEqual, lossDuring } from "./harness.ts";

const TWO_SUBNETS = new URL("../../src/lab/topologies/two-subnets.yaml", import.meta.url).pathname;
const POOL_KEY = "/calico/resources/v3/projectcalico.org/ippools/default-ipv4-ippool";

/** What tcpdump sees of a ping on the host's underlay interface. */
async function captureOf(lab: Lab, host: string, from: string, to: string): Promise<string> {
  const capture = lab.start(host, "tcpdump", "-n", "-l", "-i", "eth0", "udp port 4789 or icmp");
  let seen = "";
  capture.stdout?.setEncoding("utf8").on("data", (text: string) => (seen += text));
  await once(capture.stderr ?? assert.fail(), "data");
  await lab.exec(from, "ping", "-n", "-c", "2", "-i", "0.05", "-W", "2", to);
  await eventually(
    () => Promise.resolve(seen.split("\n").filter((line) => line.includes("echo reply")).length >= 2),
    "two answers",
  );
  capture.kill("SIGINT");
  await once(capture, "close");
  return seen;
}

describe("VXLAN across subnets", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: TWO_SUBNETS });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it("has every container reach every other", async () => {
    const report = JSON.parse(await lab.margay("check", "--json")) as { ok: boolean };
    assert.equal(report.ok, true, JSON.stringify(report));
  });

  it("carries packets between networks inside others, between nodes' addresses", async () => {
    const seen = await captureOf(lab, "host1", "a", await lab.address("c"));
    assert.match(seen, /192\.168\.1\.101\.\d+ > 192\.168\.2\.103\.4789: VXLAN, .*vni 4096/);
    assert.match(
      seen,
      new RegExp(`IP ${await lab.address("a")} > ${await lab.address("c")}: ICMP echo request`),
    );
  });

  it("carries packets inside a network as they are", async () => {
    const seen = await captureOf(lab, "host1", "a", await lab.address("b"));
    assert.doesNotMatch(seen, /VXLAN/);
    assert.match(
      seen,
      new RegExp(`IP ${await lab.address("a")} > ${await lab.address("b")}: ICMP echo request`),
    );
  });

  it("has one device on each node, and containers small enough for its headers", async () => {
    const devices = await lab.exec("host1", "ip", "-br", "link", "show", "type", "vxlan");
    assert.equal(devices.trim().split("\n").length, 1, devices);
    assert.match(await lab.exec("a", "ip", "link", "show", "eth0"), /mtu 1450/);
  });

  for (const [what, ...damage] of [
    ["the device deleted", "ip", "link", "del", "vxlan.calico"],
    ["its address removed", "ip", "addr", "flush", "dev", "vxlan.calico"],
    ["its MTU changed", "ip", "link", "set", "vxlan.calico", "mtu", "1400"],
    ["it set down", "ip", "link", "set", "vxlan.calico", "down"],
    ["its neighbour entries removed", "ip", "neigh", "flush", "dev", "vxlan.calico", "nud", "permanent"],
  ] as const) {
    it(`repairs ${what}`, async () => {
      const state = async (): Promise<string> => {
        const parts = [
          ["ip", "-br", "addr", "show", "vxlan.calico"],
          ["ip", "link", "show", "vxlan.calico"],
          ["bridge", "fdb", "show", "dev", "vxlan.calico"],
          ["ip", "neigh", "show", "dev", "vxlan.calico"],
          ["ip", "route"],
        ].map((command) => lab.exec("host1", ...command).catch(() => "absent"));
        const text = (await Promise.all(parts)).join("\n");
        // Link-local addresses, indices and the order of tables are the kernel's affair.
        const lines = text
          .replaceAll(/ *fe80::\S+/g, "")
          .replaceAll(/^\d+: /gm, "")
          .split("\n");
        return lines.sort().join("\n");
      };
      const whole = await state();
      await lab.exec("host1", ...damage);
      await eventuallyEqual(state, whole);
      await lab.exec("a", "ping", "-n", "-c", "1", "-W", "2", await lab.address("c"));
    });
  }

  it("repairs forwarding entries removed", async () => {
    const entries = (): Promise<string> => lab.exec("host1", "bridge", "fdb", "show", "dev", "vxlan.calico");
    const whole = await entries();
    const [entry = ""] = whole.split("\n");
    const [mac = "", , node = ""] = entry.split(" ");
    await lab.exec("host1", "bridge", "fdb", "del", mac, "dst", node, "dev", "vxlan.calico");
    await eventually(
      async () => (await entries()).split("\n").sort().join() === whole.split("\n").sort().join(),
      "the entries",
    );
  });
});

describe("a pool's mode", () => {
  it("changes to VXLAN and back while packets flow, and none is lost", async () => {
    await using lab = await createLab();
    const setMode = async (vxlanMode: string): Promise<void> => {
      await using store = connectStore({ socketPath: lab.agentSocket("host1") });
      const entry = (await store.get(POOL_KEY)) ?? assert.fail("no pool");
      await store.put(POOL_KEY, JSON.stringify(mergePatch(JSON.parse(entry.value), { spec: { vxlanMode } })));
    };
    const route = (host: string): Promise<string> => lab.exec(host, "ip", "route");
    const isEverywhere = async (pattern: RegExp): Promise<boolean> =>
      pattern.test(await route("host1")) && pattern.test(await route("host2"));
    const { lost } = await lossDuring(lab, "a", await lab.address("d"), async () => {
      await setMode("Always");
      await eventually(
        () => isEverywhere(/\/26 via 10\.1\.\S+ dev vxlan\.calico proto 80/),
        "routes through the tunnel",
      );
      await eventually(async () => !(await isEverywhere(/proto bird/)), "BIRD's routes going");
      await setMode("Never");
      await eventually(
        () => isEverywhere(/\/26 via 192\.168\.0\.10\d dev eth0 proto bird/),
        "routes of BIRD",
      );
      await eventually(
        async () => (await lab.exec("host1", "ip", "-br", "link", "show", "type", "vxlan")).trim() === "",
        "the device going",
      );
    });
    assert.equal(lost, 0);
  });
});
