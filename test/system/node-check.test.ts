// SPDX-License-Identifier: Apache-2.0
// `margay node`: what a node says of itself, and paths between nodes that are smaller than configured, on real routers.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Lab, MARGAY, createLab, eventuallyEqual, execute, node } from "./harness.ts";
import { FELIX_KEY, TWO_SUBNETS_DUAL_STACK, patch } from "./tunnel-harness.ts";

interface Report {
  readonly ok: boolean;
  readonly paths: readonly Readonly<Record<string, unknown>>[];
}

/** What host1 finds: `<node> <via> <verdict> <octets that pass, or that were tried>`, and the exit code. */
async function check(lab: Lab): Promise<string> {
  const { code, stdout } = await node(lab, "host1", "check", "--json");
  const { paths } = JSON.parse(stdout) as Report;
  const ways = paths.map(({ node, via, verdict, found, bytes }) =>
    [node, via, verdict, found ?? bytes].map(String).join(" "),
  );
  return [...ways, code].join(", ");
}

/** A container's longest packet is of the size that fits into the smallest tunnel, that of IPv6. */
const NEAR = "host2 underlay ok 1430, host2 underlay ok 1430";
const HEALTHY = `${NEAR}, host3 underlay ok 1500, host3 vxlan ok 1450, host3 underlay ok 1500, host3 vxlan6 ok 1430, 0`;
const SMALL = `${NEAR}, host3 underlay tooSmall 1400, host3 underlay tooSmall 1400, 1`;

describe("margay node", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: TWO_SUBNETS_DUAL_STACK });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });
  const setRouter = async (mtu: number): Promise<void> => {
    for (const link of ["eth0", "eth1"])
      await lab.exec("router", "ip", "link", "set", link, "mtu", String(mtu));
  };

  it("status says that a node is ready, from anywhere on the machine and on the host itself", async () => {
    const { code, stdout } = await node(lab, "host1", "status");
    assert.equal(code, 0);
    assert.match(stdout, /^host1 is ready\n/);
    assert.match(stdout, /^ {2}vxlan {2}1450 {2}this end is 10\.1\.\d+\.\d+$/m);
    const socket = lab.agentSocket("host3");
    assert.match(await lab.exec("host3", MARGAY, "node", "status", "--socket", socket), /^host3 is ready\n/);
  });

  it("check finds nothing on a healthy network", async () => {
    assert.equal(await check(lab), HEALTHY);
  });

  it("check finds a router that carries less, and says what to do", async () => {
    await setRouter(1400);
    assert.equal(await check(lab), SMALL);
    const { code, stdout } = await node(lab, "host1", "check");
    assert.equal(code, 1);
    assert.match(stdout, /host3 {2}underlay {2}192\.168\.2\.103 {2}too small: 1400 of 1500 octets pass/);
    assert.match(stdout, /set vxlanMTU of the FelixConfiguration "default" to 1350/);
    assert.match(stdout, /host3 {2}underlay {2}fd00:2::103 {2}too small: 1400 of 1500 octets pass/);
    assert.match(stdout, /set vxlanMTUV6 of the FelixConfiguration "default" to 1330/);
  });

  it("check finds the same where nobody is told that packets are too large", async () => {
    const drop = "icmp type destination-unreachable drop; icmpv6 type packet-too-big drop";
    const chain = `chain output { type filter hook output priority 0; ${drop}; }`;
    await lab.exec("router", "nft", `table inet mmt { ${chain}; }`);
    assert.equal(await check(lab), SMALL);
  });

  it("check finds nothing in a family once it was done what it said of that", async () => {
    const near = "host2 underlay ok 1350, host2 underlay ok 1350";
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: 1350 } });
    await eventuallyEqual(
      () => check(lab),
      `${near}, host3 underlay ok 1400, host3 vxlan ok 1350, host3 underlay tooSmall 1400, 1`,
    );
    await patch(lab, FELIX_KEY, { spec: { vxlanMTUV6: 1330 } });
    await eventuallyEqual(
      () => check(lab),
      `${near.replaceAll("1350", "1330")}, host3 underlay ok 1400, host3 vxlan ok 1350, host3 underlay ok 1400, host3 vxlan6 ok 1330, 0`,
    );
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: 0, vxlanMTUV6: 0 } });
    await setRouter(1500);
    // Outer packets of IPv6 are not cut in pieces: the kernel goes by what the router said, for ten minutes.
    await lab.exec("host1", "ip", "-6", "route", "flush", "cache");
    await eventuallyEqual(() => check(lab), HEALTHY);
  });

  it("check names a node that cannot be reached", async () => {
    await lab.exec("router", "ip", "link", "set", "eth1", "down");
    const { code, stdout } = await node(lab, "host1", "check");
    assert.equal(code, 1);
    assert.match(stdout, /host2 {2}underlay {2}192\.168\.1\.102 {2}1430 octets pass/);
    assert.match(stdout, /host2 {2}underlay {2}fd00:1::102 {2}1430 octets pass/);
    assert.match(stdout, /host3 {2}underlay {2}192\.168\.2\.103 {2}unreachable: /);
    assert.match(stdout, /host3 {2}underlay {2}fd00:2::103 {2}unreachable: /);
    await lab.exec("router", "ip", "link", "set", "eth1", "up");
  });
});

it("margay node names the socket that no agent listens on", async () => {
  for (const command of ["status", "check"]) {
    const { code, stderr } = await execute(MARGAY, [
      "node",
      command,
      "--socket",
      "/run/margay/mmt-none.sock",
    ]);
    assert.equal(code, 5);
    assert.match(stderr, /^margay: Cannot ask the agent on "\/run\/margay\/mmt-none\.sock": .*ENOENT/);
  }
});
