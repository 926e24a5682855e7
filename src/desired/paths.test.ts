// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
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
    wireguard: {
      publicKey: parseWireguardPublicKey(`${key.repeat(42)}A=`),
      ip: parseIpv4(`10.1.${host}.3`),
    },
  };
}

const NODES: readonly Fact[] = [
  { kind: "node", name: "host3", value: node(2, 13, "D") },
  { kind: "node", name: "host1", value: node(1, 11, "B") },
  { kind: "node", name: "host2", value: node(1, 12, "C") },
];

function poolFact(encapsulation: Encapsulation): Fact {
  const value = { cidr: parseCidr("10.1.0.0/16"), encapsulation, disableBgpExport: false };
  return { kind: "pool", name: "pool", value };
}

/** The ways from host1, as `<node> <via> <address> <bytes>`. */
function paths(...facts: readonly Fact[]): readonly string[] {
  const calculation = new Calculation("host1");
  calculation.update([...NODES, { kind: "underlay", mtu: 1500 }, ...facts]);
  return calculation
    .pathsToNodes()
    .map(({ node, via, address, bytes }) => `${node} ${via} ${address} ${bytes}`);
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

  it("are not known before the underlay is", () => {
    const calculation = new Calculation("host1");
    calculation.update([...NODES, poolFact({ kind: "none" })]);
    assert.deepEqual(calculation.pathsToNodes(), []);
  });
});
