// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseIpv6 } from "../net/ipv6.ts";
import { parseMac } from "../net/mac.ts";
import { parseWireguardPublicKey } from "../net/wireguard-key.ts";
import { Calculation } from "./calculation.ts";
import { DEFAULT_SETTINGS, type Encapsulation, type Fact, type NodeFacts } from "./facts.ts";

/** A node with an end of every tunnel, on the network of its rack. */
function node(rack: number, host: number, key: string): NodeFacts {
  return {
    address: parseIpv4(`192.168.${rack}.${host}`),
    subnet: parseCidr(`192.168.${rack}.0/24`),
    asNumber: undefined,
    routeSource: "datastore",
    vxlan: { ip: parseIpv4(`10.1.${host}.1`), mac: parseMac(`66:00:00:00:00:${host}`) },
    ipip: parseIpv4(`10.1.${host}.2`),
    ipv6: { address: parseIpv6(`fd00:${rack}::${host}`), subnet: parseCidr(`fd00:${rack}::/64`) },
    vxlan6: { ip: parseIpv6(`fd10::${host}`), mac: parseMac(`66:00:00:00:06:${host}`) },
    wireguard: {
      publicKey: parseWireguardPublicKey(`${key.repeat(42)}A=`),
      ip: parseIpv4(`10.1.${host}.3`),
    },
  };
}

const NODES: readonly (readonly [name: string, NodeFacts])[] = [
  ["host3", node(2, 13, "D")],
  ["host1", node(1, 11, "B")],
  ["host2", node(1, 12, "C")],
];

function nodeFact(name: string, value: NodeFacts): Fact {
  return { kind: "node", name, value };
}

function poolFact(encapsulation: Encapsulation, cidr = "10.1.0.0/16"): Fact {
  return {
    kind: "pool",
    name: cidr,
    value: { cidr: parseCidr(cidr), encapsulation, disableBgpExport: false },
  };
}

/** The ways from host1, as `<node> <via> <address> <bytes>`. */
function pathsFrom(calculation: Calculation): readonly string[] {
  return calculation
    .pathsToNodes()
    .map(({ node, via, address, bytes }) => `${node} ${via} ${address} ${bytes}`);
}

/** Where no node has anything of IPv6. */
function paths(...facts: readonly Fact[]): readonly string[] {
  const calculation = new Calculation("host1");
  const nodes = NODES.map(([name, value]) =>
    nodeFact(name, { ...value, ipv6: undefined, vxlan6: undefined }),
  );
  calculation.update([...nodes, { kind: "underlay", mtu: 1500 }, ...facts]);
  return pathsFrom(calculation);
}

describe("the ways to other nodes", () => {
  it("are the underlay alone without tunnels", () => {
    assert.deepEqual(paths(poolFact({ kind: "none" })), [
      "host2 underlay 192.168.1.12 1500",
      "host3 underlay 192.168.2.13 1500",
    ]);
  });

  it("are each tunnel that packets enter, and what it makes of them outside", () => {
    assert.deepEqual(paths(poolFact({ kind: "vxlan", crossSubnet: true })), [
      "host2 underlay 192.168.1.12 1450",
      "host3 underlay 192.168.2.13 1500",
      "host3 vxlan 10.1.13.1 1450",
    ]);
    assert.deepEqual(paths(poolFact({ kind: "ipip", crossSubnet: false })), [
      "host2 underlay 192.168.1.12 1500",
      "host2 ipip 10.1.12.2 1480",
      "host3 underlay 192.168.2.13 1500",
      "host3 ipip 10.1.13.2 1480",
    ]);
  });

  it("carry as much as a person has said", () => {
    const value = { ...DEFAULT_SETTINGS, tunnelMtus: { ...DEFAULT_SETTINGS.tunnelMtus, vxlan: 1350 } };
    assert.deepEqual(paths(poolFact({ kind: "vxlan", crossSubnet: true }), { kind: "settings", value }), [
      "host2 underlay 192.168.1.12 1350",
      "host3 underlay 192.168.2.13 1400",
      "host3 vxlan 10.1.13.1 1350",
    ]);
  });

  it("lead through WireGuard alone where that encrypts", () => {
    const own = node(1, 11, "B").wireguard;
    const [ip, publicKey] = [own?.ip, own?.publicKey];
    assert.ok(ip !== undefined && publicKey !== undefined);
    const facts: readonly Fact[] = [
      poolFact({ kind: "vxlan", crossSubnet: false }),
      { kind: "settings", value: { ...DEFAULT_SETTINGS, wireguardEnabled: true } },
      { kind: "wireguardEnd", value: { ip, publicKey } },
    ];
    assert.deepEqual(paths(...facts), [
      "host2 underlay 192.168.1.12 1500",
      "host2 wireguard 10.1.12.3 1440",
      "host3 underlay 192.168.2.13 1500",
      "host3 wireguard 10.1.13.3 1440",
    ]);
  });

  it("are those of IPv6 too, between nodes that both have an address of it", () => {
    const calculation = new Calculation("host1");
    const crossSubnet = { kind: "vxlan", crossSubnet: true } as const;
    calculation.update([
      ...NODES.map(([name, value]) => nodeFact(name, value)),
      { kind: "underlay", mtu: 1500 },
      poolFact({ kind: "none" }),
      poolFact(crossSubnet, "fd10::/64"),
    ]);
    const ipv4 = "host2 underlay 192.168.1.12 1430";
    assert.deepEqual(pathsFrom(calculation), [
      ipv4,
      "host2 underlay fd00:1::12 1430",
      "host3 underlay 192.168.2.13 1430",
      "host3 underlay fd00:2::13 1500",
      "host3 vxlan6 fd10::13 1430",
    ]);
    calculation.update([nodeFact("host3", { ...node(2, 13, "D"), vxlan6: undefined })]);
    assert.deepEqual(pathsFrom(calculation).slice(3), ["host3 underlay fd00:2::13 1430"]);
    calculation.update([nodeFact("host3", { ...node(2, 13, "D"), ipv6: undefined })]);
    assert.deepEqual(pathsFrom(calculation).slice(2), ["host3 underlay 192.168.2.13 1430"]);
    calculation.update([nodeFact("host1", { ...node(1, 11, "B"), ipv6: undefined })]);
    assert.deepEqual(pathsFrom(calculation), [ipv4, "host3 underlay 192.168.2.13 1430"]);
  });

  it("are not known before the underlay is", () => {
    const calculation = new Calculation("host1");
    calculation.update([...NODES.map(([name, value]) => nodeFact(name, value)), poolFact({ kind: "none" })]);
    assert.deepEqual(calculation.pathsToNodes(), []);
  });
});
