// SPDX-License-Identifier: Apache-2.0
// VXLAN on labs: what is on the wire, and what is repaired.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { damage, type Lab, createLab, eventually, eventuallyEqual } from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { TWO_SUBNETS, captureOf } from "./tunnel-harness.ts";

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

  for (const [what, ...command] of [
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
      await damage(lab, "host1", command);
      await eventuallyEqual(state, whole);
      await lab.exec("a", ...PING_ONCE, await lab.address("c"));
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
