// SPDX-License-Identifier: Apache-2.0
// What somebody damages is repaired by the kernel's event of it: there is no audit here that would find it. What a WireGuard device holds tells
// of no changes, and is in wireguard-audit.test.ts; the kernel's IPIP device is in test/vm.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Fact, NodeFacts } from "../../src/desired/facts.ts";
import { parseMac } from "../../src/net/mac.ts";
import { eventuallyEqual } from "./harness.ts";
import {
  type NodePair,
  type NodePairOptions,
  type PairedNode,
  createNodePair,
  nodeFact,
} from "./node-pair.ts";
import { PING_ONCE } from "./patience.ts";

interface Tunnel {
  readonly options: NodePairOptions;
  /** A node's own end, and what the others know of it. */
  readonly endOf: (node: PairedNode) => readonly [own: Fact, known: Pick<NodeFacts, "ipip" | "vxlan">];
  /** Commands that show all that the node has of it. */
  readonly show: readonly string[];
  readonly damages: Readonly<Record<string, string>>;
}

const macOf = ({ number }: PairedNode) => parseMac(`66:00:00:00:00:0${number}`);

const TUNNELS: Readonly<Record<string, Tunnel>> = {
  VXLAN: {
    options: { encapsulation: { kind: "vxlan", crossSubnet: false } },
    endOf(node) {
      const end = { ip: node.tunnelIp, mac: macOf(node) };
      return [{ kind: "vxlanEnd", value: end }, { vxlan: end }];
    },
    show: [
      "ip -br -4 addr show vxlan.calico",
      "ip link show vxlan.calico",
      "bridge fdb show dev vxlan.calico",
      "ip neigh show dev vxlan.calico",
      "ip route",
    ],
    damages: {
      "the device deleted": "ip link del vxlan.calico",
      "it set down": "ip link set vxlan.calico down",
      "its address removed": "ip addr flush dev vxlan.calico",
      "its MTU changed": "ip link set vxlan.calico mtu 1400",
      "its MAC address changed": "ip link set vxlan.calico address 66:00:00:00:00:09",
      "a forwarding entry removed": "bridge fdb del 66:00:00:00:00:02 dst 192.168.0.102 dev vxlan.calico",
      "a neighbour entry removed": "ip neigh del 10.1.2.1 dev vxlan.calico",
      "a route removed": "ip route del 10.1.2.0/26",
    },
  },
  "IPIP by programs": {
    options: { encapsulation: { kind: "ipip", crossSubnet: false } },
    endOf: ({ tunnelIp: ip }) => [{ kind: "ipipEnd", value: { ip, driver: "bpf" } }, { ipip: ip }],
    show: [
      "tc filter show dev eth0 egress | grep -o 'handle 0x1 margay[a-z_]*'",
      "tc filter show dev eth0 ingress | grep -o 'handle 0x1 margay[a-z_]*'",
      "ip -br -4 addr show lo",
      "ip route",
    ],
    damages: {
      "the programs removed": "tc filter del dev eth0 egress; tc filter del dev eth0 ingress",
      "their place removed": "tc qdisc del dev eth0 clsact",
      "the address removed": "ip addr del 10.1.1.1/32 dev lo",
      "a route removed": "ip route del 10.1.2.0/26",
    },
  },
};

for (const [name, { options, endOf, show, damages }] of Object.entries(TUNNELS)) {
  describe(`${name}, without an audit`, () => {
    const stack = new AsyncDisposableStack();
    let pair: NodePair;
    before(async () => {
      pair = await createNodePair(stack, options);
      for (const node of pair.nodes) {
        const [own, known] = endOf(node);
        node.learn(own);
        pair.learn(nodeFact(node.number, known));
      }
      await pair.settled();
    });
    after(() => stack.disposeAsync());

    /** In whatever order the kernel tells it, and with indices and its own addresses left out. */
    const stateOf = async (node: PairedNode): Promise<string> => {
      const text = await node.run("sh", "-c", show.map((command) => `${command} 2>&1 || true`).join("; "));
      return text
        .replaceAll(/^\d+: /gm, "")
        .split("\n")
        .toSorted()
        .join("\n");
    };

    for (const [what, damage] of Object.entries(damages)) {
      it(`repairs ${what}`, async (test) => {
        const [one, other] = pair.nodes;
        const whole = await stateOf(one);
        await one.run("sh", "-c", damage);
        const damagedAt = performance.now();
        await eventuallyEqual(() => stateOf(one), whole);
        test.diagnostic(`seen whole after ${Math.round(performance.now() - damagedAt)} ms`);
        await one.runInside(...PING_ONCE, other.containerIp);
        assert.equal(await stateOf(one), whole);
      });
    }
  });
}
