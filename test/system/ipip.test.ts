// SPDX-License-Identifier: Apache-2.0
// IPIP on labs, by whichever means the kernel has: what is on the wire, and what is repaired.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Lab, createLab, eventually, eventuallyEqual, killAgent, lossDuring } from "./harness.ts";
import { PING_ONCE, PING_PATIENCE_S } from "./patience.ts";
import { captureOf, setMode } from "./tunnel-harness.ts";

const TOPOLOGY = new URL("two-subnets-ipip.yaml", import.meta.url).pathname;

async function hasDevice(lab: Lab): Promise<boolean> {
  return (await lab.exec("host1", "ip", "-br", "link", "show", "type", "ipip")).trim() !== "";
}

/** Everything of IPIP on the host, as text that does not depend on order or on programs' numbers. */
async function stateOf(lab: Lab, host: string): Promise<string> {
  const parts = [
    ["ip", "-br", "addr", "show", "tunl0"],
    ["ip", "link", "show", "tunl0"],
    ["ip", "addr", "show", "dev", "lo"],
    ["tc", "qdisc", "show", "dev", "eth0"],
    ["tc", "filter", "show", "dev", "eth0", "ingress"],
    ["tc", "filter", "show", "dev", "eth0", "egress"],
    ["ip", "route"],
  ].map((command) => lab.exec(host, ...command).catch(() => "absent"));
  const text = (await Promise.all(parts)).join("\n").replaceAll(/^\d+: | id \d+| *fe80::\S+/gm, "");
  return text.split("\n").sort().join("\n");
}

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`IPIP across subnets, routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ topology: TOPOLOGY, routeSource });
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
      const [a, c] = [await lab.address("a"), await lab.address("c")];

      assert.match(seen, /IP 192\.168\.1\.101 > 192\.168\.2\.103: IP /);
      assert.match(seen, new RegExp(`${a} > ${c}: ICMP echo request`));
    });

    it("carries packets inside a network as they are", async () => {
      const seen = await captureOf(lab, "host1", "a", await lab.address("b"));
      assert.doesNotMatch(seen, /IP 192/);
      assert.match(
        seen,
        new RegExp(`${await lab.address("a")} > ${await lab.address("b")}: ICMP echo request`),
      );
    });

    it("has the node itself send from its address inside the tunnel", async () => {
      const c = await lab.address("c");
      await lab.exec("host1", ...PING_ONCE, c);
      const route = await lab.exec("host1", "ip", "route", "get", c);
      const [, source = ""] = / src (\S+)/.exec(route) ?? [];
      assert.match(source, /^10\.1\./);
    });

    it("tells containers of packets that are too large, and lets those pass that fit", async () => {
      const c = await lab.address("c");
      const fits = await lab.exec(
        "a",
        "ping",
        "-n",
        "-c",
        "1",
        "-M",
        "do",
        "-s",
        "1452",
        "-W",
        PING_PATIENCE_S,
        c,
      );
      assert.match(fits, / 0% packet loss/);
      const refused = await lab.exec("a", "sh", "-c", `ping -n -c 1 -M do -s 1453 -W 2 ${c} 2>&1 || true`);
      assert.match(refused, /mtu ?= ?1480/);
    });

    const damages: Readonly<Record<string, (isDevice: boolean, ip: string) => string>> = {
      "what carries it removed": (isDevice) =>
        isDevice ? "ip link set tunl0 down" : "tc qdisc del dev eth0 clsact",
      "a part of that": (isDevice) =>
        isDevice ? "ip link set tunl0 mtu 1400" : "tc filter del dev eth0 egress",
      "its address removed": (isDevice, ip) => `ip addr del ${ip}/32 dev ${isDevice ? "tunl0" : "lo"}`,
    };
    for (const [what, damage] of Object.entries(damages)) {
      it(`repairs ${what}`, async () => {
        const c = await lab.address("c");
        const [, ip = ""] = / src (\S+)/.exec(await lab.exec("host1", "ip", "route", "get", c)) ?? [];
        const whole = await stateOf(lab, "host1");
        await lab.exec("host1", ...damage(await hasDevice(lab), ip).split(" "));
        await eventuallyEqual(() => stateOf(lab, "host1"), whole);
        await lab.exec("a", ...PING_ONCE, c);
      });
    }

    it("goes on while an agent is dead, and when it is back", async () => {
      const whole = await stateOf(lab, "host1");
      const { lost, sent } = await lossDuring(lab, "a", await lab.address("c"), async () => {
        await killAgent(lab, "host1");
        await lab.repair();
        await eventuallyEqual(() => stateOf(lab, "host1"), whole);
      });
      assert.equal(lost, 0, `of ${sent}`);
    });

    it("leaves nothing where no pool wants it any more", async () => {
      await setMode(lab, { vxlanMode: "CrossSubnet" });
      await eventually(async () => {
        const state = await stateOf(lab, "host1");
        return !/margay|mtu 1480|tunl0.*UP/.test(state);
      }, "its end");
      await lab.exec("a", ...PING_ONCE, await lab.address("c"));
    });
  });
}
