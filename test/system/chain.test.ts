// SPDX-License-Identifier: Apache-2.0
// Margay in a chain with Debian's reference plugins, called as a runtime calls them.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type Attachment,
  type Chain,
  type ChainResult,
  type ChainedPlugin,
  callPlugin,
  createChain,
} from "./cni-chain.ts";
import { type Lab, type Outcome, createLab, eventually, settled, succeed } from "./harness.ts";
import { type RuntimeHost, openRuntimeHost } from "./runtime-host.ts";
import { setMode } from "./tunnel-harness.ts";

const PTP: ChainedPlugin = { type: "ptp", ipam: { type: "host-local", subnet: "10.77.0.0/24" } };
const PORTMAP: ChainedPlugin = {
  type: "portmap",
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }] },
};
const BANDWIDTH: ChainedPlugin = {
  type: "bandwidth",
  runtimeConfig: {
    bandwidth: { ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 },
  },
};
const TUNING: ChainedPlugin = {
  type: "tuning",
  sysctl: { "net.ipv4.conf.eth0.log_martians": "1" },
  mtu: 1400,
};
const FIREWALL: ChainedPlugin = { type: "firewall", backend: "iptables" };
const SBR: ChainedPlugin = { type: "sbr" };

describe("a chain of plugins", () => {
  const stack = new AsyncDisposableStack();
  let lab: Lab;
  let host: RuntimeHost;
  let attachment: Attachment;
  let netns: string;
  before(async () => {
    lab = stack.use(await createLab({ routeSource: "datastore" }));
    host = stack.use(await openRuntimeHost(lab, "host1"));
    netns = `${lab.name}chain`;
    await succeed("ip", ["netns", "add", netns]);
    stack.defer(() => succeed("ip", ["netns", "del", netns]).then(() => undefined));
    attachment = { containerId: "chain-test", netns: `/run/netns/${netns}` };
  });
  after(async () => {
    await stack.disposeAsync();
  });

  const margay = (): ChainedPlugin => ({ type: "margay-cni", agentSocket: lab.agentSocket("host1") });
  const chain = (cniVersion: string, ...others: readonly ChainedPlugin[]): Chain =>
    createChain(host, attachment, cniVersion, [margay(), ...others]);
  const inside = (...command: readonly string[]): Promise<string> =>
    succeed("ip", ["netns", "exec", netns, ...command]);
  /** Another node's container answers. */
  const assertReachable = async (): Promise<void> => {
    const [, own = ""] = /inet ([\d.]+)/.exec(await inside("ip", "address", "show", "eth0")) ?? [];
    // Where routes depend on the source, as with `sbr`, that has to be told.
    const answer = await inside("ping", "-I", own, "-c", "2", "-i", "0.2", await lab.address("c"));
    assert.match(answer, / 0% packet loss/);
  };
  /** What there is of chains on the host. */
  const inventory = async (): Promise<string> =>
    [
      await lab.exec("host1", "ip", "-brief", "link"),
      await lab.exec("host1", "ip", "route"),
      ...(
        await Promise.all(["nat", "filter"].map((table) => lab.exec("host1", "iptables", "-t", table, "-S")))
      ).map((rules) =>
        rules
          .split("\n")
          .filter((rule) => /\b10\.1\.|CNI-DN/.test(rule))
          .join("\n"),
      ),
      await inside("ip", "-brief", "link"),
      await inside("ip", "rule"),
    ].join("\n");
  /** Runs a chain's whole life, and looks at what it is in between; `complaints` are what CHECK has to say of it. */
  const live = async (
    tested: Chain,
    {
      complaints = [],
      look,
    }: { complaints?: readonly string[]; look?: (result: ChainResult) => Promise<void> } = {},
  ): Promise<void> => {
    const start = await settled(inventory);
    const result = await tested.add();
    try {
      assert.deepEqual(await tested.check(), complaints);
      await assertReachable();
      await look?.(result);
      assert.deepEqual(await tested.check(), complaints);
    } finally {
      await tested.del();
    }
    await eventually(async () => (await inventory()) === start, "the host as it was");
    // Again, as runtimes do; sbr could not.
    await chain("1.0.0").del();
  };

  /** Debian's portmap looks for a chain of IPv6 even where the container has no such address: whoever made the interface. */
  const portmapComplaints = async (cniVersion: string): Promise<readonly string[]> => {
    const reference = createChain(host, attachment, cniVersion, [PTP, PORTMAP]);
    await reference.add();
    try {
      const complaints = await reference.check();
      for (const complaint of complaints) assert.match(complaint, /ipv6 dnat/);
      return complaints;
    } finally {
      await reference.del();
    }
  };

  for (const cniVersion of ["0.4.0", "1.0.0"]) {
    it(`goes on from a result of ${cniVersion} to every one of the others`, async () => {
      await live(chain(cniVersion, PORTMAP, BANDWIDTH, TUNING, FIREWALL, SBR), {
        complaints: await portmapComplaints(cniVersion),
        look: async () => {
          assert.match(await lab.exec("host1", "iptables", "-t", "nat", "-S"), /--dport 8080 -j DNAT/);
          assert.match(await lab.exec("host1", "iptables", "-S"), /-A CNI-FORWARD -s 10\.1\./);
          const shaped = await lab.exec("host1", "tc", "-s", "qdisc");
          const counts = Array.from(shaped.matchAll(/qdisc tbf .*\n Sent \d+ bytes (\d+) pkt/g), ([, n]) =>
            Number(n),
          );
          // Of the node end, and of the device that stands for the other direction.
          assert.equal(counts.length, 2);
          for (const count of counts) assert.ok(count >= 2, shaped);
          assert.match(await inside("ip", "link", "show", "eth0"), / mtu 1400 /);
          assert.match(await inside("ip", "rule"), /from 10\.1\.\S+ lookup 100/);
        },
      });
    });
  }

  it("keeps its bandwidth when the agent changes MTUs, and when it sets a link up again", async () => {
    await live(chain("1.0.0", BANDWIDTH), {
      look: async ({ interfaces: [nodeEnd] }) => {
        const shapes = (): Promise<string> => lab.exec("host1", "tc", "qdisc");
        const before = await shapes();
        const mtu = async (): Promise<string> =>
          /mtu (\d+)/.exec(await inside("ip", "link", "show", "eth0"))?.[1] ?? "";
        await setMode(lab, { vxlanMode: "Always" });
        await eventually(async () => (await mtu()) === "1450", "the MTU beside a tunnel");
        await setMode(lab, {});
        await eventually(async () => (await mtu()) === "1500", "the MTU as before");
        await lab.exec("host1", "ip", "link", "set", nodeEnd?.name ?? "", "down");
        await eventually(
          async () => /UP,LOWER_UP/.test(await lab.exec("host1", "ip", "link", "show", nodeEnd?.name ?? "")),
          "the link up",
        );
        assert.equal(await shapes(), before);
        await assertReachable();
      },
    });
  });

  it("fails its CHECK where a plugin took away what packets need, and says what", async () => {
    const tested = chain("1.0.0", { type: "tuning", mac: "02:00:00:00:00:77" });
    await tested.add();
    try {
      const [fault = ""] = await tested.check();
      assert.match(fault, /interface \\"eth0\\" has MAC address 02:00:00:00:00:77/);
      assert.match(fault, /neighbour entry for 169\.254\.1\.1 is missing/);
      await assert.rejects(assertReachable());
    } finally {
      await tested.del();
    }
  });

  it("goes on from a result of another: that of loopback", async () => {
    const start = await settled(inventory);
    const tested = createChain(host, attachment, "1.0.0", [{ type: "loopback" }, margay(), TUNING, FIREWALL]);
    const { interfaces, ips } = await tested.add();
    try {
      const names = ips.map(({ interface: index }) => interfaces[index ?? -1]?.name);
      assert.deepEqual([names.at(0), names.at(-1)], ["lo", "eth0"]);
      assert.deepEqual(await tested.check(), []);
      await assertReachable();
    } finally {
      await tested.del();
    }
    await eventually(async () => (await inventory()) === start, "the host as it was");
  });

  it("will not take another's interface, and leaves it alone", async () => {
    const other = createChain(host, attachment, "1.0.0", [PTP]);
    const prevResult = await other.add();
    try {
      const start = await settled(inventory);
      const call = (command: string): Promise<Outcome> =>
        callPlugin(host, command, attachment, {
          cniVersion: "1.0.0",
          name: "margay",
          prevResult,
          ...margay(),
        });
      const [added, checked, deleted] = [await call("ADD"), await call("CHECK"), await call("DEL")];
      assert.deepEqual([added.code, checked.code, deleted.code, deleted.stdout], [1, 1, 0, ""]);
      assert.match(added.stdout, /"code":4,.*it has an interface of that name/);
      assert.match(checked.stdout, /the node has no record of it/);
      assert.equal(await inventory(), start);
      assert.deepEqual(await other.check(), []);
    } finally {
      await other.del();
    }
  });
});
