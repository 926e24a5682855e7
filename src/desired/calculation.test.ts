// SPDX-License-Identifier: Apache-2.0
// Named states of a cluster, and what a node should have in each. The outcome depends on what is so, never on how it came to be, so every
// way from one state to any other has to end at the same outcome.
import assert from "node:assert/strict";
import { natKey, sourceKey } from "./wanted-tables.ts";
import { describe, it } from "node:test";
import { type Cidr, cidrContainsIp, parseCidr } from "../net/cidr.ts";
import { parseIfName } from "../net/if-name.ts";
import { parseIp } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseIpv6 } from "../net/ipv6.ts";
import { parseMac } from "../net/mac.ts";
import { parseWireguardPublicKey, wireguardPublicKeyFromBytes } from "../net/wireguard-key.ts";
import { Calculation, type DesiredState } from "./calculation.ts";
import {
  type BlockFacts,
  DEFAULT_SETTINGS,
  type Encapsulation,
  type EndpointFacts,
  type Fact,
  type IpipDriver,
  type NodeFacts,
  type Settings,
  type VxlanKind,
} from "./facts.ts";
import { type RouteTarget, WIREGUARD_TABLE } from "./wanted.ts";

const LAN = parseCidr("192.168.0.0/24");
const BLOCK1 = parseCidr("10.1.1.0/26");
const BLOCK2 = parseCidr("10.1.2.0/26");
const HOST_BLOCK = parseCidr("10.1.3.7/32");

function node(name: string, address: string, more: Partial<NodeFacts> = {}): Fact {
  return {
    kind: "node",
    name,
    value: {
      address: parseIpv4(address),
      subnet: LAN,
      asNumber: undefined,
      routeSource: "datastore",
      ...more,
    },
  };
}

function block(
  cidr: Cidr,
  owner: string | undefined,
  strays: readonly (readonly [ip: string, node: string])[] = [],
): Fact {
  const value: BlockFacts = {
    cidr,
    node: owner,
    strays: strays.map(([ip, holder]) => ({ ip: parseIp(ip), node: holder })),
  };
  return { kind: "block", cidr, value };
}

function affinity(name: string, cidr: Cidr, isConfirmed = true): Fact {
  return { kind: "affinity", node: name, cidr, value: isConfirmed };
}

function endpoint(name: string, ifName: string, ip: string): Fact {
  const value: EndpointFacts = {
    ifName: parseIfName(ifName),
    mac: parseMac("02:00:00:00:00:01"),
    ips: [parseIp(ip)],
  };
  return { kind: "endpoint", name, value };
}

function settings(more: Partial<Settings>): Fact {
  return { kind: "settings", value: { ...DEFAULT_SETTINGS, ...more } };
}

const POOL: Fact = {
  kind: "pool",
  name: "default",
  value: { cidr: parseCidr("10.1.0.0/16"), encapsulation: { kind: "none" }, disableBgpExport: false },
};
const TWO_NODES = [POOL, node("host1", "192.168.0.101"), node("host2", "192.168.0.102")];
const TWO_BLOCKS = [
  block(BLOCK1, "host1"),
  affinity("host1", BLOCK1),
  block(BLOCK2, "host2"),
  affinity("host2", BLOCK2),
];
const BY_DATASTORE = settings({ routeSource: "datastore" });

const END1 = { ip: parseIpv4("10.1.1.1"), mac: parseMac("66:00:00:00:00:01") };
const END2 = { ip: parseIpv4("10.1.2.1"), mac: parseMac("66:00:00:00:00:02") };
const VXLAN_NODES = [
  node("host1", "192.168.0.101", { vxlan: END1, routeSource: "bird" }),
  node("host2", "192.168.0.102", { vxlan: END2, routeSource: "bird" }),
] as const;
const OWN_END: Fact = { kind: "vxlanEnd", value: END1 };
const UNDERLAY: Fact = { kind: "underlay", mtu: 1500 };

function natPool(name: string, cidr: string, natOutgoing: boolean): Fact {
  const value = {
    cidr: parseCidr(cidr),
    encapsulation: { kind: "none" },
    disableBgpExport: false,
    natOutgoing,
  } as const;
  return { kind: "pool", name, value };
}

function vxlanPool(crossSubnet: boolean): Fact {
  const value = {
    cidr: parseCidr("10.1.0.0/16"),
    encapsulation: { kind: "vxlan", crossSubnet },
    disableBgpExport: false,
  } as const;
  return { kind: "pool", name: "default", value };
}

const IPIP_NODES = [
  node("host1", "192.168.0.101", { ipip: END1.ip, routeSource: "bird" }),
  node("host2", "192.168.0.102", { ipip: END2.ip, routeSource: "bird" }),
] as const;

function ipipEnd(driver: IpipDriver): Fact {
  return { kind: "ipipEnd", value: { ip: END1.ip, driver } };
}

function ipipPool(crossSubnet: boolean): Fact {
  const value = {
    cidr: parseCidr("10.1.0.0/16"),
    encapsulation: { kind: "ipip", crossSubnet },
    disableBgpExport: false,
  } as const;
  return { kind: "pool", name: "default", value };
}

const KEY1 = parseWireguardPublicKey("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
const KEY2 = parseWireguardPublicKey("AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=");
const WIREGUARD_END: Fact = { kind: "wireguardEnd", value: { ip: END1.ip, publicKey: KEY1 } };
const ENCRYPTED = settings({ routeSource: "datastore", wireguardEnabled: true });
const ENCRYPTED_NODES = [
  node("host1", "192.168.0.101", { wireguard: { publicKey: KEY1, ip: END1.ip } }),
  node("host2", "192.168.0.102", { wireguard: { publicKey: KEY2, ip: END2.ip } }),
  node("host3", "192.168.0.103"),
] as const;
const BLOCK3 = parseCidr("10.1.4.0/26");
/** host2's block with addresses on each node, and host3's with one on host2. */
const MIXED_BLOCKS = [
  block(BLOCK1, "host1", [["10.1.1.9", "host2"]]),
  affinity("host1", BLOCK1),
  block(BLOCK2, "host2", [
    ["10.1.2.8", "host1"],
    ["10.1.2.9", "host3"],
  ]),
  affinity("host2", BLOCK2),
  block(BLOCK3, "host3", [["10.1.4.9", "host2"]]),
  affinity("host3", BLOCK3),
];
const WIREGUARD = [POOL, ...ENCRYPTED_NODES, ...MIXED_BLOCKS, WIREGUARD_END, UNDERLAY, ENCRYPTED];

const LAN6 = parseCidr("fd00:1::/64");
const IPV6_NODES = [
  node("host1", "192.168.0.101", {
    ipv6: { address: parseIp("fd00:1::101"), subnet: LAN6 },
    routeSource: "bird",
  }),
  node("host2", "192.168.0.102", {
    ipv6: { address: parseIp("fd00:1::102"), subnet: LAN6 },
    routeSource: "bird",
  }),
] as const;
const BLOCK61 = parseCidr("fd10::40/122");
const BLOCK62 = parseCidr("fd10::80/122");
const IPV6_BLOCKS = [
  block(BLOCK61, "host1"),
  affinity("host1", BLOCK61),
  block(BLOCK62, "host2", [["fd10::81", "host1"]]),
  affinity("host2", BLOCK62),
];
const IPV6_POOL = ipv6Pool({ kind: "none" });

const END61 = { ip: parseIpv6("fd10::40"), mac: parseMac("66:00:00:00:00:61") };
const END62 = { ip: parseIpv6("fd10::80"), mac: parseMac("66:00:00:00:00:62") };
const OWN_END6: Fact = { kind: "vxlan6End", value: END61 };

/** host2 on this node's network, unless another is said. */
function vxlan6Nodes(address = "fd00:1::102", end: NodeFacts["vxlan6"] = END62): readonly Fact[] {
  const far = parseCidr("fd00:2::/64");
  const subnet = cidrContainsIp(LAN6, parseIp(address)) ? LAN6 : far;
  return [
    node("host1", "192.168.0.101", {
      ipv6: { address: parseIp("fd00:1::101"), subnet: LAN6 },
      vxlan6: END61,
      routeSource: "bird",
    }),
    node("host2", "192.168.0.102", {
      ipv6: { address: parseIp(address), subnet },
      vxlan6: end,
      routeSource: "bird",
    }),
  ];
}

function vxlan6Pool(crossSubnet: boolean): Fact {
  return ipv6Pool({ kind: "vxlan", crossSubnet });
}

const VXLAN6 = [...vxlan6Nodes(), vxlan6Pool(false), ...IPV6_BLOCKS, OWN_END6, UNDERLAY];

function ipv6Pool(encapsulation: Encapsulation): Extract<Fact, { kind: "pool" }> {
  const value = { cidr: parseCidr("fd10::/64"), encapsulation, disableBgpExport: false };
  return { kind: "pool", name: "ipv6", value };
}

const STATES: Readonly<Record<string, readonly Fact[]>> = {
  "an empty cluster": [],
  "two nodes without blocks": TWO_NODES,
  "one block each, by the datastore": [...TWO_NODES, ...TWO_BLOCKS, BY_DATASTORE],
  "one block each, by BIRD, while host2 does not announce yet": [...TWO_NODES, ...TWO_BLOCKS],
  "one block each, by BIRD": [
    POOL,
    node("host1", "192.168.0.101", { routeSource: "bird" }),
    node("host2", "192.168.0.102", { routeSource: "bird" }),
    ...TWO_BLOCKS,
  ],
  "leaving BIRD while host2 still relies on it": [
    POOL,
    node("host1", "192.168.0.101"),
    node("host2", "192.168.0.102", { routeSource: "bird" }),
    ...TWO_BLOCKS,
    BY_DATASTORE,
  ],
  "host2 starting its BIRD": [
    POOL,
    node("host1", "192.168.0.101"),
    node("host2", "192.168.0.102", { routeSource: "starting" }),
    ...TWO_BLOCKS,
  ],
  "host3 with the address of host2": [...TWO_NODES, ...TWO_BLOCKS, node("host3", "192.168.0.102")],
  "VXLAN always": [...VXLAN_NODES, vxlanPool(false), ...TWO_BLOCKS, OWN_END, UNDERLAY],
  "VXLAN across subnets, host2 near": [...VXLAN_NODES, vxlanPool(true), ...TWO_BLOCKS, OWN_END, UNDERLAY],
  "VXLAN across subnets, host2 far": [
    VXLAN_NODES[0],
    node("host2", "192.168.7.102", { vxlan: END2 }),
    vxlanPool(true),
    ...TWO_BLOCKS,
    OWN_END,
    UNDERLAY,
  ],
  "VXLAN while host2 has no end yet": [
    VXLAN_NODES[0],
    node("host2", "192.168.0.102"),
    vxlanPool(false),
    ...TWO_BLOCKS,
    OWN_END,
    UNDERLAY,
  ],
  "VXLAN while host2, far away, has no end yet": [
    VXLAN_NODES[0],
    node("host2", "192.168.7.102"),
    vxlanPool(false),
    ...TWO_BLOCKS,
    OWN_END,
    UNDERLAY,
  ],
  "IPIP by the device, BIRD the source": [
    ...IPIP_NODES,
    ipipPool(false),
    ...TWO_BLOCKS,
    ipipEnd("device"),
    UNDERLAY,
  ],
  "IPIP by the device, the datastore the source": [
    ...IPIP_NODES,
    ipipPool(false),
    ...TWO_BLOCKS,
    ipipEnd("device"),
    UNDERLAY,
    BY_DATASTORE,
  ],
  "IPIP by programs": [...IPIP_NODES, ipipPool(false), ...TWO_BLOCKS, ipipEnd("bpf"), UNDERLAY],
  "IPIP by programs, less room": [
    ...IPIP_NODES,
    ipipPool(false),
    ...TWO_BLOCKS,
    ipipEnd("bpf"),
    { kind: "underlay", mtu: 1400 },
  ],
  "IPIP across subnets, host2 near": [...IPIP_NODES, ipipPool(true), ...TWO_BLOCKS, ipipEnd("bpf"), UNDERLAY],
  "IPIP across subnets, host2 far": [
    IPIP_NODES[0],
    node("host2", "192.168.7.102", { ipip: END2.ip }),
    ipipPool(true),
    ...TWO_BLOCKS,
    ipipEnd("bpf"),
    UNDERLAY,
  ],
  "on the way from VXLAN to IPIP, host2 without its end of IPIP": [
    node("host1", "192.168.0.101", { vxlan: END1, ipip: END1.ip, routeSource: "bird" }),
    VXLAN_NODES[1],
    ipipPool(false),
    ...TWO_BLOCKS,
    OWN_END,
    ipipEnd("device"),
    UNDERLAY,
  ],
  "WireGuard between host1 and host2, host3 without": WIREGUARD,
  "WireGuard on top of VXLAN": [
    node("host1", "192.168.0.101", { vxlan: END1, wireguard: { publicKey: KEY1, ip: END1.ip } }),
    node("host2", "192.168.0.102", { vxlan: END2, wireguard: { publicKey: KEY2, ip: undefined } }),
    vxlanPool(false),
    ...TWO_BLOCKS,
    OWN_END,
    WIREGUARD_END,
    UNDERLAY,
    ENCRYPTED,
  ],
  "WireGuard before this node's key is known": instead(WIREGUARD, node("host1", "192.168.0.101")),
  "WireGuard about to end": instead(WIREGUARD, BY_DATASTORE),
  "WireGuard, host3 with the key of host2": instead(
    WIREGUARD,
    node("host3", "192.168.0.103", { wireguard: { publicKey: KEY2, ip: undefined } }),
  ),
  "WireGuard on another port": instead(
    WIREGUARD,
    settings({ routeSource: "datastore", wireguardEnabled: true, wireguardPort: 5000 }),
  ),
  "a pending claim of host2": [
    ...TWO_NODES,
    block(BLOCK2, "host2"),
    affinity("host2", BLOCK2, false),
    BY_DATASTORE,
  ],
  "a claim of host2 to a block that is host1's": [
    ...TWO_NODES,
    block(BLOCK1, "host1"),
    affinity("host1", BLOCK1),
    affinity("host2", BLOCK1),
    BY_DATASTORE,
  ],
  "an address of host2's block used on host1": [
    ...TWO_NODES,
    block(BLOCK2, "host2", [["10.1.2.9", "host1"]]),
    affinity("host2", BLOCK2),
    BY_DATASTORE,
  ],
  "an address of host1's block used on host2": [
    ...TWO_NODES,
    block(BLOCK1, "host1", [["10.1.1.9", "host2"]]),
    affinity("host1", BLOCK1),
    BY_DATASTORE,
  ],
  "a block of one address": [
    ...TWO_NODES,
    block(HOST_BLOCK, "host1"),
    affinity("host1", HOST_BLOCK),
    BY_DATASTORE,
  ],
  "a block of a node that is not registered": [
    ...TWO_NODES,
    block(BLOCK2, "host9"),
    affinity("host9", BLOCK2),
    BY_DATASTORE,
  ],
  "host2 on another network": [
    POOL,
    node("host1", "192.168.0.101"),
    node("host2", "192.168.7.102"),
    ...TWO_BLOCKS,
    BY_DATASTORE,
  ],
  "a container": [
    ...TWO_NODES,
    ...TWO_BLOCKS,
    endpoint("a", "cali00000000001", "10.1.1.2"),
    BY_DATASTORE,
    UNDERLAY,
  ],
  "the container at another address": [
    ...TWO_NODES,
    ...TWO_BLOCKS,
    endpoint("a", "cali00000000001", "10.1.1.3"),
    BY_DATASTORE,
    UNDERLAY,
  ],
  "blocks of IPv6 by the datastore": [...IPV6_NODES, IPV6_POOL, ...IPV6_BLOCKS, BY_DATASTORE],
  "blocks of IPv6 by BIRD, with IPv4": [...IPV6_NODES, POOL, IPV6_POOL, ...TWO_BLOCKS, ...IPV6_BLOCKS],
  "VXLAN of IPv6 always": VXLAN6,
  "VXLAN of IPv6 across subnets, host2 near": instead(VXLAN6, vxlan6Pool(true)),
  "VXLAN of IPv6 across subnets, host2 far": [
    ...vxlan6Nodes("fd00:2::102"),
    ...[vxlan6Pool(true), ...IPV6_BLOCKS, OWN_END6, UNDERLAY],
  ],
  "VXLAN of IPv6 while host2 has no end yet": [
    ...instead(vxlan6Nodes(), IPV6_NODES[1]),
    ...[vxlan6Pool(false), ...IPV6_BLOCKS, OWN_END6, UNDERLAY],
  ],
  "VXLAN of both families": [
    node("host1", "192.168.0.101", {
      ipv6: { address: parseIp("fd00:1::101"), subnet: LAN6 },
      ...{ vxlan: END1, vxlan6: END61 },
    }),
    node("host2", "192.168.0.102", {
      ipv6: { address: parseIp("fd00:1::102"), subnet: LAN6 },
      ...{ vxlan: END2, vxlan6: END62 },
    }),
    ...[vxlanPool(false), vxlan6Pool(false), ...TWO_BLOCKS, ...IPV6_BLOCKS],
    ...[OWN_END, OWN_END6, UNDERLAY, BY_DATASTORE],
  ],
  "another AS, listening elsewhere, no mesh": [
    ...TWO_NODES,
    ...TWO_BLOCKS,
    settings({ asNumber: 65001, listenPort: 1179, nodeMesh: false }),
  ],
};

function outcomeOf(facts: readonly Fact[]): DesiredState {
  const calculation = new Calculation("host1");
  calculation.update(facts);
  return calculation.state();
}

/** A fact's identity: two facts with one identity replace each other. */
function identity(fact: Fact): string {
  switch (fact.kind) {
    case "node":
    case "endpoint":
    case "pool":
    case "bgpPeer":
    case "bgpFilter":
      return `${fact.kind} ${fact.name}`;
    case "block":
      return `block ${fact.cidr}`;
    case "affinity":
      return `affinity ${fact.node} ${fact.cidr}`;
    case "settings":
    case "vxlanEnd":
    case "vxlan6End":
    case "ipipEnd":
    case "wireguardEnd":
    case "underlay":
    case "checksumOffload":
      return fact.kind;
  }
}

/** The facts with another one in the place of one of them. */
function instead(facts: readonly Fact[], other: Fact): readonly Fact[] {
  return [...facts.filter((fact) => identity(fact) !== identity(other)), other];
}

function undo(fact: Fact): Fact {
  switch (fact.kind) {
    case "settings":
      return { kind: "settings", value: DEFAULT_SETTINGS };
    case "underlay":
    case "checksumOffload":
      // There always is one.
      return fact;
    case "node":
    case "block":
    case "affinity":
    case "endpoint":
    case "pool":
    case "bgpPeer":
    case "bgpFilter":
    case "vxlanEnd":
    case "vxlan6End":
    case "ipipEnd":
    case "wireguardEnd":
      return { ...fact, value: undefined };
  }
}

/** What has to be told to get from one state to the other. */
function steps(from: readonly Fact[], to: readonly Fact[]): readonly Fact[] {
  const staying = new Set(to.map(identity));
  return [...from.filter((fact) => !staying.has(identity(fact))).map(undo), ...to];
}

describe("every way from one state to another ends at the other's outcome", () => {
  const ways: Readonly<Record<string, (facts: readonly Fact[]) => readonly (readonly Fact[])[]>> = {
    "all at once": (facts) => [facts],
    "one by one": (facts) => facts.map((fact) => [fact]),
    "in reverse": (facts) => facts.toReversed().map((fact) => [fact]),
    "each twice": (facts) => facts.flatMap((fact) => [[fact], [fact]]),
    "with every fact taken back once": (facts) => facts.flatMap((fact) => [[fact], [undo(fact)], [fact]]),
  };
  for (const [wayName, way] of Object.entries(ways)) {
    it(wayName, () => {
      for (const [fromName, from] of Object.entries(STATES)) {
        for (const [toName, to] of Object.entries(STATES)) {
          const calculation = new Calculation("host1");
          calculation.update(from);
          for (const facts of way(steps(from, to))) calculation.update(facts);
          assert.deepEqual(calculation.state(), outcomeOf(to), `from ${fromName} to ${toName}`);
        }
      }
    });
  }

  it("and the deltas on the way add up to the difference", () => {
    for (const from of Object.values(STATES)) {
      for (const to of Object.values(STATES)) {
        const calculation = new Calculation("host1");
        const routes = new Map(calculation.update(from).route);
        for (const fact of steps(from, to))
          for (const [key, route] of calculation.update([fact]).route) routes.set(key, route);
        const left = [...routes]
          .filter(([, route]) => route !== undefined)
          .sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(
          left.map(([, route]) => route),
          outcomeOf(to).route,
        );
      }
    }
  });
});

function targetOf(target: RouteTarget): readonly [where: string, what: string] {
  switch (target.kind) {
    case "link":
      return ["dev", target.ifName];
    case "gateway":
      return ["via", target.gateway];
    case "tunnel":
      return ["through", target.gateway];
    case "underlay":
      return ["over", target.node];
    case "blackhole":
    case "throw":
      return [target.kind, ""];
  }
}

/** Routes as `ip route` would show them, without those that every node has. */
function routesIn(state: string): readonly string[] {
  return outcomeOf(STATES[state] ?? assert.fail(state))
    .route.filter(({ dst }) => dst !== "169.254.1.1/32")
    .map(({ dst, target, standing }) => {
      const [where, what] = targetOf(target);
      return [dst, where, what, standing === "present" ? "" : standing]
        .filter((part) => part !== "")
        .join(" ");
    });
}

describe("the routes of a node", () => {
  const rows: readonly (readonly [state: string, routes: readonly string[]])[] = [
    ["two nodes without blocks", []],
    ["one block each, by the datastore", ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"]],
    [
      "one block each, by BIRD, while host2 does not announce yet",
      ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"],
    ],
    ["one block each, by BIRD", ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102 untilReplaced"]],
    [
      "leaving BIRD while host2 still relies on it",
      ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"],
    ],
    ["host2 starting its BIRD", ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"]],
    ["VXLAN always", ["10.1.1.0/26 blackhole", "10.1.2.0/26 through 10.1.2.1"]],
    ["VXLAN across subnets, host2 near", ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"]],
    ["VXLAN across subnets, host2 far", ["10.1.1.0/26 blackhole", "10.1.2.0/26 through 10.1.2.1"]],
    ["VXLAN while host2 has no end yet", ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"]],
    ["VXLAN while host2, far away, has no end yet", ["10.1.1.0/26 blackhole"]],
    [
      "IPIP by the device, BIRD the source",
      ["10.1.1.0/26 blackhole", "10.1.2.0/26 through 192.168.0.102 untilReplaced"],
    ],
    [
      "IPIP by the device, the datastore the source",
      ["10.1.1.0/26 blackhole", "10.1.2.0/26 through 192.168.0.102"],
    ],
    ["IPIP by programs", ["10.1.1.0/26 blackhole", "10.1.2.0/26 over 192.168.0.102"]],
    ["IPIP across subnets, host2 near", ["10.1.1.0/26 blackhole", "10.1.2.0/26 via 192.168.0.102"]],
    ["IPIP across subnets, host2 far", ["10.1.1.0/26 blackhole", "10.1.2.0/26 over 192.168.7.102"]],
    [
      "on the way from VXLAN to IPIP, host2 without its end of IPIP",
      ["10.1.1.0/26 blackhole", "10.1.2.0/26 through 10.1.2.1"],
    ],
    ["a pending claim of host2", []],
    ["a claim of host2 to a block that is host1's", ["10.1.1.0/26 blackhole"]],
    ["an address of host2's block used on host1", ["10.1.2.0/26 via 192.168.0.102"]],
    ["an address of host1's block used on host2", ["10.1.1.0/26 blackhole", "10.1.1.9/32 via 192.168.0.102"]],
    ["a block of one address", []],
    ["a block of a node that is not registered", []],
    ["host2 on another network", ["10.1.1.0/26 blackhole"]],
    ["blocks of IPv6 by the datastore", ["fd10::40/122 blackhole", "fd10::80/122 via fd00:1::102"]],
    [
      "blocks of IPv6 by BIRD, with IPv4",
      [
        "10.1.1.0/26 blackhole",
        "10.1.2.0/26 via 192.168.0.102 untilReplaced",
        "fd10::40/122 blackhole",
        "fd10::80/122 via fd00:1::102 untilReplaced",
      ],
    ],
    ["VXLAN of IPv6 always", ["fd10::40/122 blackhole", "fd10::80/122 through fe80::6400:ff:fe00:62"]],
    ["VXLAN of IPv6 across subnets, host2 near", ["fd10::40/122 blackhole", "fd10::80/122 via fd00:1::102"]],
    [
      "VXLAN of IPv6 across subnets, host2 far",
      ["fd10::40/122 blackhole", "fd10::80/122 through fe80::6400:ff:fe00:62"],
    ],
    ["VXLAN of IPv6 while host2 has no end yet", ["fd10::40/122 blackhole", "fd10::80/122 via fd00:1::102"]],
    [
      "a container",
      ["10.1.1.0/26 blackhole", "10.1.1.2/32 dev cali00000000001", "10.1.2.0/26 via 192.168.0.102"],
    ],
  ];
  for (const [state, routes] of rows)
    it(`given ${state}`, () => {
      assert.deepEqual(routesIn(state), routes);
    });

  it("always lead the gateway's address out of another interface, so that proxy ARP answers for it", () => {
    const [route] = outcomeOf([]).route;
    assert.deepEqual([route?.dst, route?.target], ["169.254.1.1/32", { kind: "link", ifName: "lo" }]);
  });
});

describe("IPv6", () => {
  const [here, there] = IPV6_NODES;
  const announced = (facts: readonly Fact[]): unknown => outcomeOf(facts).bird?.originated;
  const unroutable = (...facts: readonly Fact[]): readonly string[] =>
    outcomeOf([...facts, ...IPV6_BLOCKS]).unroutable.map(({ reason }) => reason);

  it("is announced where a node holds it: blocks, and addresses of others' blocks", () => {
    assert.deepEqual(announced([...IPV6_NODES, IPV6_POOL, ...IPV6_BLOCKS]), [BLOCK61, "fd10::81/128"]);
  });

  it("has no route to a node without an address, on another network, or without an end of the tunnel, which is told", () => {
    const far = node("host2", "192.168.0.102", {
      ipv6: { address: parseIp("fd00:2::102"), subnet: parseCidr("fd00:2::/64") },
    });
    const plain = [node("host1", "192.168.0.101"), node("host2", "192.168.0.102")] as const;
    assert.deepEqual(unroutable(plain[0], there, IPV6_POOL), [
      "this node has not registered an IPv6 address",
    ]);
    assert.deepEqual(unroutable(here, plain[1], IPV6_POOL), [
      'node "host2" has not registered an IPv6 address',
    ]);
    assert.deepEqual(unroutable(here, far, IPV6_POOL), [
      'node "host2" (fd00:2::102) is not on this node\'s network fd00:1::/64',
    ]);
    const lack = "this node has no end of the IPv6 VXLAN tunnel yet";
    assert.deepEqual(unroutable(here, far, vxlan6Pool(true)), [lack]);
    assert.deepEqual(unroutable(here, far, vxlan6Pool(false), OWN_END), [lack]);
    assert.deepEqual(unroutable(here, there, vxlan6Pool(true)), []);
    assert.deepEqual(unroutable(plain[0], there, vxlan6Pool(false)), [
      "this node has not registered an IPv6 address",
    ]);
  });

  it("gives a node end the gateway's address, and the container's route a metric that the kernel takes as it is", () => {
    const ifName = "cali00000000001";
    const value = { ifName: parseIfName(ifName), mac: parseMac("02:00:00:00:00:01") };
    const ips = [parseIp("10.1.1.2"), parseIp("fd10::2")];
    const { address, neighbour, route, sysctl } = outcomeOf([
      { kind: "endpoint", name: "a", value: { ...value, ips } },
    ]);
    assert.deepEqual(address, [{ ifName, ip: "fe80::ecee:eeff:feee:eeee" }]);
    assert.deepEqual(
      neighbour.map(({ ip }) => ip),
      ips,
    );
    const own = route.filter(({ target }) => target.kind === "link" && target.ifName === ifName);
    assert.deepEqual(
      own.map(({ dst, metric }) => [dst, metric]),
      [
        ["10.1.1.2/32", 0],
        ["fd10::2/128", 1],
      ],
    );
    assert.ok(sysctl.some(({ path, value }) => path.at(-1) === "disable_ipv6" && value === "0"));
  });

  it("is forwarded by nodes as long as there is a pool of it", () => {
    const isForwarding = (...facts: readonly Fact[]): boolean =>
      outcomeOf(facts).sysctl.some(({ path }) => path.join("/") === "net/ipv6/conf/all/forwarding");
    assert.deepEqual([isForwarding(POOL), isForwarding(POOL, IPV6_POOL)], [false, true]);
  });

  it("needs more octets than some underlays and tunnels leave, which is told", () => {
    const issues = (mtu: number, ...facts: readonly Fact[]): readonly string[] => {
      const calculation = new Calculation("host1");
      calculation.update([...facts, { kind: "underlay", mtu }]);
      return calculation.mtuIssues();
    };
    assert.deepEqual(issues(1279, POOL), []);
    assert.deepEqual(issues(1280, IPV6_POOL), []);
    assert.deepEqual(issues(1279, IPV6_POOL), [
      "MTU: 1279 octets for containers are too few, IPv6 wants 1280",
    ]);
    assert.deepEqual(issues(1300, IPV6_POOL, ipipPool(true)), []);
    assert.deepEqual(issues(1299, IPV6_POOL, ipipPool(true)), [
      "MTU: 1279 octets for containers are too few, IPv6 wants 1280",
    ]);
  });

  it("does not enter WireGuard's tunnel", () => {
    const { peer, route } = outcomeOf([...WIREGUARD, IPV6_POOL, ...IPV6_BLOCKS]);
    assert.ok(!peer.some(({ allowedIps }) => allowedIps.some((cidr) => cidr.includes(":"))));
    assert.ok(!route.some(({ table, dst }) => table === WIREGUARD_TABLE && dst.includes(":")));
  });
});

describe("VXLAN of IPv6", () => {
  const { link, address, forwarding, neighbour, route, sysctl, guard, guard6, bird, detours } =
    outcomeOf(VXLAN6);
  const ifName = "vxlan-v6.calico";

  it("needs one device with the node's end, small enough for the outer headers", () => {
    const device = { vni: 4096, port: 4789, localIp: "fd00:1::101", mtu: 1430 };
    assert.deepEqual(link, [{ kind: "vxlan", name: ifName, mac: END61.mac, ...device }]);
    assert.deepEqual(address, [{ ifName, ip: END61.ip }]);
    const isOn = sysctl.filter(({ path }) => path.includes(ifName) && path.at(-1) === "disable_ipv6");
    assert.deepEqual(
      isOn.map(({ value }) => value),
      ["0"],
    );
  });

  it("has routes from the node's end, which the kernel would not choose by itself", () => {
    const through = route.flatMap(({ target }) => (target.kind === "tunnel" ? [target] : []));
    assert.deepEqual(through, [
      { kind: "tunnel", ifName, gateway: "fe80::6400:ff:fe00:62", source: END61.ip },
    ]);
  });

  it("needs a forwarding entry for each other node, and a neighbour entry for the gateway of its routes", () => {
    assert.deepEqual(forwarding, [{ ifName, mac: END62.mac, dst: "fd00:1::102" }]);
    assert.deepEqual(neighbour, [{ ifName, ip: "fe80::6400:ff:fe00:62", mac: END62.mac }]);
  });

  it("has a guard of its own family, that knows the nodes which have such an address", () => {
    assert.deepEqual(guard, []);
    const port = { kind: "port", ifName, port: 4789 };
    assert.deepEqual(guard6, [{ kind: "table" }, { kind: "node", address: "fd00:1::102" }, port]);
    const both = outcomeOf([...VXLAN6, node("host3", "192.168.0.103"), OWN_END]);
    assert.deepEqual(both.guard6, guard6);
    assert.deepEqual(
      both.guard.flatMap((item) => (item.kind === "node" ? [item.address] : [])),
      ["192.168.0.102", "192.168.0.103"],
    );
  });

  it("has BIRD announce, and bring nothing into the kernel", () => {
    assert.deepEqual([bird?.poolCidrs, bird?.kernelCidrs], [["fd10::/64"], []]);
    assert.deepEqual(detours, []);
  });

  it("goes as it is, where that is possible, until both have an end, which is told", () => {
    const { detours } = outcomeOf(STATES["VXLAN of IPv6 while host2 has no end yet"] ?? []);
    const reason = 'node "host2" has no end of the IPv6 VXLAN tunnel yet';
    assert.deepEqual(detours, [{ dst: BLOCK62, reason }]);
  });

  it("has checksums computed where those left to the network card are known to be wrong", () => {
    const { checksum } = outcomeOf([...VXLAN6, settings({ isChecksumOffloadBroken: true })]);
    assert.deepEqual(checksum, [{ ifName }]);
  });

  it("has its checksums by what was found of it, and not of IPv4's", () => {
    const found = (tunnel: VxlanKind): Fact => ({ kind: "checksumOffload", tunnel, isBroken: true });
    const calculation = new Calculation("host1");
    calculation.update([...VXLAN6, found("vxlan")]);
    assert.deepEqual(
      [calculation.state().checksum, calculation.isChecksumOffloadUnknown("vxlan6")],
      [[], true],
    );
    calculation.update([found("vxlan6")]);
    assert.deepEqual(calculation.state().checksum, [{ ifName }]);
    assert.equal(calculation.isChecksumOffloadUnknown("vxlan6"), false);
  });

  it("is not there where the node has no IPv6 address", () => {
    const { link, guard6 } = outcomeOf(instead(VXLAN6, node("host1", "192.168.0.101")));
    assert.deepEqual(link, []);
    assert.equal(guard6.length, 3);
  });

  it("leaves nothing where this node's end is given up", () => {
    const { link, address, forwarding, neighbour, guard6 } = outcomeOf([
      ...vxlan6Nodes(),
      IPV6_POOL,
      ...IPV6_BLOCKS,
      UNDERLAY,
    ]);
    assert.deepEqual([link, address, forwarding, neighbour, guard6], [[], [], [], [], []]);
  });

  it("takes room from containers' MTU, and does without where that leaves too little for IPv6, which is told", () => {
    const calculation = new Calculation("host1");
    calculation.update([POOL, vxlan6Pool(false), UNDERLAY]);
    assert.equal(calculation.containerMtu, 1430);
    calculation.update([settings({ tunnelMtus: { ipip: 0, vxlan: 0, vxlan6: 1300, wireguard: 0 } })]);
    assert.equal(calculation.containerMtu, 1300);
    calculation.update([settings({ tunnelMtus: { ipip: 0, vxlan: 0, vxlan6: 1440, wireguard: 0 } })]);
    assert.deepEqual(calculation.mtuIssues(), [
      "MTU: packets of vxlanMTUV6 1440 do not fit: the underlay's 1500 octets leave room for 1430",
    ]);
    calculation.update([settings({}), { kind: "underlay", mtu: 1349 }]);
    assert.deepEqual(calculation.mtuIssues(), [
      "MTU: 1279 octets for vxlan6 are too few, IPv6 wants 1280: the underlay's 1349 octets leave room for 1279",
      "MTU: 1279 octets for containers are too few, IPv6 wants 1280",
    ]);
  });
});

describe("VXLAN", () => {
  const { link, address, forwarding, neighbour, bird } = outcomeOf(STATES["VXLAN always"] ?? []);

  it("needs one device with the node's end, small enough for the outer headers", () => {
    const device = { vni: 4096, port: 4789, localIp: "192.168.0.101", mtu: 1450 };
    assert.deepEqual(link, [{ kind: "vxlan", name: "vxlan.calico", mac: END1.mac, ...device }]);
    assert.deepEqual(address, [{ ifName: "vxlan.calico", ip: END1.ip }]);
  });

  it("needs a forwarding entry and a neighbour entry for each other node, so that nothing is asked or learnt", () => {
    assert.deepEqual(forwarding, [{ ifName: "vxlan.calico", mac: END2.mac, dst: "192.168.0.102" }]);
    assert.deepEqual(neighbour, [{ ifName: "vxlan.calico", ip: END2.ip, mac: END2.mac }]);
  });

  it("has BIRD announce, and bring nothing into the kernel", () => {
    assert.deepEqual([bird?.poolCidrs, bird?.kernelCidrs], [["10.1.0.0/16"], []]);
  });

  it("has checksums computed where those left to the network card are known to be wrong, and a person does not know better", () => {
    const own = [{ ifName: "vxlan.calico" }];
    const found = (isBroken: boolean): Fact => ({ kind: "checksumOffload", tunnel: "vxlan", isBroken });
    const said = (isChecksumOffloadBroken: boolean): Fact => settings({ isChecksumOffloadBroken });
    for (const [facts, wanted, checksums, isUnknown] of [
      [[], [], "offloaded", true],
      [[found(false)], [], "offloaded", false],
      [[found(true)], own, "computed", false],
      [[said(true)], own, "computed", false],
      [[found(true), said(false)], [], "offloaded", false],
    ] as const) {
      const calculation = new Calculation("host1");
      calculation.update([...(STATES["VXLAN always"] ?? []), ...facts]);
      assert.deepEqual(calculation.state().checksum, wanted);
      assert.deepEqual(
        calculation.ownEnds().map((end) => end.checksums),
        [checksums],
      );
      assert.equal(calculation.isChecksumOffloadUnknown("vxlan"), isUnknown);
    }
    assert.equal(new Calculation("host1").isChecksumOffloadUnknown("vxlan"), false);
  });

  it("leaves nothing where this node's end is given up", () => {
    const { link, address, forwarding, neighbour } = outcomeOf([
      ...VXLAN_NODES,
      POOL,
      ...TWO_BLOCKS,
      UNDERLAY,
    ]);
    assert.deepEqual([link, address, forwarding, neighbour], [[], [], [], []]);
  });
});

describe("IPIP", () => {
  it("by the device needs one, small enough for the outer header, and BIRD told who is behind it", () => {
    const { link, address, ipip, bird } = outcomeOf(STATES["IPIP by the device, BIRD the source"] ?? []);
    assert.deepEqual(link, [{ kind: "ipip", name: "tunl0", mtu: 1480 }]);
    assert.deepEqual(address, [{ ifName: "tunl0", ip: END1.ip }]);
    assert.deepEqual(ipip, []);
    assert.deepEqual(bird?.tunnelled, [
      { cidr: "10.1.0.0/16", ifName: "tunl0", through: ["192.168.0.102"], without: [] },
    ]);
  });

  it("by programs needs them, where packets go and whom they are taken from, and routes with room for the header", () => {
    const { link, address, ipip, route, bird } = outcomeOf(STATES["IPIP by programs, less room"] ?? []);
    assert.deepEqual(link, []);
    assert.deepEqual(address, [{ ifName: "lo", ip: END1.ip }]);
    assert.deepEqual(ipip, [
      { kind: "block", dst: BLOCK2, node: "192.168.0.102" },
      { kind: "node", address: "192.168.0.102" },
      { kind: "programs", nodeAddress: "192.168.0.101" },
    ]);
    const target = route.find(({ dst }) => dst === BLOCK2)?.target;
    assert.deepEqual(target, { kind: "underlay", node: "192.168.0.102", mtu: 1380, source: END1.ip });
    assert.deepEqual([bird?.poolCidrs, bird?.kernelCidrs], [["10.1.0.0/16"], []]);
  });

  it("is not BIRD's where another tunnel still leads to the node", () => {
    const state = STATES["on the way from VXLAN to IPIP, host2 without its end of IPIP"];
    const { bird, detours } = outcomeOf(state ?? []);
    assert.deepEqual(bird?.tunnelled, [
      { cidr: "10.1.0.0/16", ifName: "tunl0", through: [], without: ["192.168.0.102"] },
    ]);
    assert.deepEqual(detours, [{ dst: BLOCK2, reason: 'node "host2" has no end of the IPIP tunnel yet' }]);
  });
});

describe("WireGuard", () => {
  const stateOf = (name: string): DesiredState => outcomeOf(STATES[name] ?? assert.fail(name));
  const encrypted = ({ route }: DesiredState): unknown =>
    new Map(
      route.flatMap(({ table, dst, target }) => (table === WIREGUARD_TABLE ? [[dst, target.kind]] : [])),
    );
  const ROUTES = new Map([
    ["10.1.1.9/32", "link"],
    [BLOCK2, "link"],
    ["10.1.2.8/32", "throw"],
    ["10.1.2.9/32", "throw"],
    ["10.1.4.9/32", "link"],
  ]);
  const PEER = {
    ifName: "wireguard.cali",
    publicKey: KEY2,
    endpoint: { ip: "192.168.0.102", port: 51820 },
    allowedIps: ["10.1.1.9/32", "10.1.2.0/26", "10.1.2.1/32", "10.1.4.9/32", "192.168.0.102/32"],
  };

  it("needs a device with this node's key and address, and a table that is looked up first", () => {
    const { link, address, wireguard, rule } = stateOf("WireGuard between host1 and host2, host3 without");
    assert.deepEqual(link, [{ kind: "wireguard", name: "wireguard.cali", mtu: 1440 }]);
    assert.deepEqual(address, [{ ifName: "wireguard.cali", ip: END1.ip }]);
    assert.deepEqual(wireguard, [
      { ifName: "wireguard.cali", publicKey: KEY1, listenPort: 51820, mark: 0x100000 },
    ]);
    assert.deepEqual(rule, [{ priority: 99, table: 1, exceptMark: 0x100000 }]);
  });

  it("carries what is on nodes that have it too, and nothing that is elsewhere", () => {
    const state = stateOf("WireGuard between host1 and host2, host3 without");
    assert.deepEqual(encrypted(state), ROUTES);
    assert.deepEqual(state.peer, [PEER]);
    assert.deepEqual(state.unencrypted, ['node "host3" has no WireGuard key']);
  });

  it("leaves IPv6 as it is, which is told as long as there is a pool of it", () => {
    const [ofIpv6, ofNode] = [
      "those of IPv6, for it carries IPv4 alone",
      'node "host3" has no WireGuard key',
    ];
    const calculation = new Calculation("host1");
    calculation.update([...WIREGUARD, IPV6_POOL]);
    assert.deepEqual(calculation.unencrypted(), [ofIpv6, ofNode]);
    calculation.update([{ ...IPV6_POOL, value: undefined }]);
    assert.deepEqual(calculation.unencrypted(), [ofNode]);
    calculation.update([IPV6_POOL, BY_DATASTORE]);
    assert.deepEqual(calculation.unencrypted(), []);
  });

  it("comes before whatever the pool asks for, which stays for nodes without it", () => {
    const state = stateOf("WireGuard on top of VXLAN");
    assert.deepEqual(encrypted(state), new Map([[BLOCK2, "link"]]));
    assert.ok(state.route.some(({ dst, target }) => dst === BLOCK2 && target.kind === "tunnel"));
  });

  it("takes packets, but sends none, before others know this node's key and once it is about to end", () => {
    for (const name of ["WireGuard before this node's key is known", "WireGuard about to end"]) {
      const state = stateOf(name);
      assert.deepEqual([encrypted(state), state.peer], [new Map(), [PEER]], name);
    }
  });

  it("leaves out nodes that have one key between them", () => {
    const state = stateOf("WireGuard, host3 with the key of host2");
    assert.deepEqual([encrypted(state), state.peer], [new Map(), []]);
    assert.deepEqual(state.unencrypted, [
      'node "host2" has the WireGuard key of another node',
      'node "host3" has the WireGuard key of another node',
    ]);
  });

  it("has one peer changed by another address on one node", () => {
    const calculation = new Calculation("host1");
    const others = Array.from({ length: 50 }, (_, index) => {
      const cidr = parseCidr(`10.1.${100 + index}.0/26`);
      const octets = new Uint8Array(32).fill(index + 10);
      const publicKey = wireguardPublicKeyFromBytes(octets);
      const wireguard = { publicKey, ip: undefined };
      const name = `other${index}`;
      return [node(name, `192.168.0.${150 + index}`, { wireguard }), block(cidr, name), affinity(name, cidr)];
    });
    calculation.update([...WIREGUARD, ...others.flat()]);
    const { peer, route } = calculation.update([block(BLOCK3, "host3", [["10.1.4.10", "host2"]])]);
    assert.equal(peer.size, 1);
    assert.deepEqual([...route.keys()].sort(), [
      "10.1.4.10/32 metric 0 table 1",
      "10.1.4.10/32 metric 1024",
      "10.1.4.9/32 metric 0 table 1",
      "10.1.4.9/32 metric 1024",
    ]);
  });
});

describe("what BIRD is to do", () => {
  const birdIn = (state: string) => outcomeOf(STATES[state] ?? assert.fail(state)).bird;

  it("is not known while the node has no address", () => {
    assert.equal(birdIn("an empty cluster"), undefined);
  });

  it("is nothing where the datastore brings the routes", () => {
    assert.equal(birdIn("one block each, by the datastore")?.purpose, "none");
  });

  it("is to announce own confirmed blocks to every other node, and to bring what they announce", () => {
    assert.deepEqual(birdIn("one block each, by BIRD"), {
      nodeAddress: "192.168.0.101",
      nodeAddress6: undefined,
      asNumber: 64512,
      listenPort: 179,
      meshPassword: undefined,
      gracefulRestartSeconds: 120,
      sessions: [],
      filters: [],
      prefixAdvertisements: [],
      ignoredInterfaces: [],
      logLevel: "Info",
      bindsNodeAddress: false,
      peers: [{ name: "host2", address: "192.168.0.102", asNumber: 64512 }],
      originated: [BLOCK1],
      poolCidrs: ["10.1.0.0/16"],
      kernelCidrs: ["10.1.0.0/16"],
      tunnelled: [],
      purpose: "routes",
    });
  });

  it("is to go on announcing, but not to bring routes, while the cluster leaves it", () => {
    const bird = birdIn("leaving BIRD while host2 still relies on it");
    assert.deepEqual([bird?.purpose, bird?.originated], ["announcing", [BLOCK1]]);
  });

  it("is to announce an address borrowed from another node's block", () => {
    const facts = [...TWO_NODES, block(BLOCK2, "host2", [["10.1.2.9", "host1"]]), affinity("host2", BLOCK2)];
    assert.deepEqual(outcomeOf(facts).bird?.originated, ["10.1.2.9/32"]);
  });

  it("is to have one session with an address, whoever claims it, and none with its own", () => {
    const peers = birdIn("host3 with the address of host2")?.peers.map(({ name }) => name);
    assert.deepEqual(peers, ["host2"]);
    assert.deepEqual(outcomeOf([...TWO_NODES, node("host4", "192.168.0.101")]).bird?.peers.length, 1);
  });

  it("follows the cluster's settings", () => {
    const bird = birdIn("another AS, listening elsewhere, no mesh");
    assert.deepEqual([bird?.asNumber, bird?.listenPort, bird?.peers], [65001, 1179, []]);
  });
});

describe("a destination without a route", () => {
  it("is told with its reason", () => {
    assert.deepEqual(outcomeOf(STATES["host2 on another network"] ?? []).unroutable, [
      { dst: BLOCK2, reason: 'node "host2" (192.168.7.102) is not on this node\'s network 192.168.0.0/24' },
    ]);
    assert.deepEqual(outcomeOf(STATES["a block of a node that is not registered"] ?? []).unroutable, [
      { dst: BLOCK2, reason: 'node "host9" has not registered an address' },
    ]);
  });
});

describe("nodes that claim one address", () => {
  it("are told", () => {
    assert.deepEqual(outcomeOf(STATES["host3 with the address of host2"] ?? []).unroutable, [
      { dst: "192.168.0.102/32", reason: 'node "host3" claims the address of node "host2"' },
    ]);
  });
});

describe("a container's node end", () => {
  const { link, neighbour, sysctl } = outcomeOf(STATES["a container"] ?? []);

  it("has the fixed MAC address and a permanent neighbour entry for the container", () => {
    assert.deepEqual(link, [{ kind: "nodeEnd", name: "cali00000000001", mac: "ee:ee:ee:ee:ee:ee" }]);
    assert.deepEqual(neighbour, [{ ifName: "cali00000000001", ip: "10.1.1.2", mac: "02:00:00:00:00:01" }]);
  });

  it("answers for the gateway, forwards, and takes packets from the container's own address only", () => {
    const values = Object.fromEntries(sysctl.map(({ path, value }) => [path.slice(1).join("."), value]));
    assert.equal(values["ipv4.ip_forward"], "1");
    assert.equal(values["ipv4.conf.cali00000000001.proxy_arp"], "1");
    assert.equal(values["ipv4.neigh.cali00000000001.proxy_delay"], "0");
    assert.equal(values["ipv4.conf.cali00000000001.forwarding"], "1");
    assert.equal(values["ipv4.conf.cali00000000001.rp_filter"], "1");
  });
});

describe("the MTU of containers", () => {
  const mtuWith = (...facts: readonly Fact[]): number | undefined => {
    const calculation = new Calculation("host1");
    calculation.update([...facts, endpoint("a", "cali00000000001", "10.1.1.2"), UNDERLAY]);
    const [end] = calculation.state().mtu;
    assert.equal(end?.mtu, calculation.containerMtu);
    return calculation.containerMtu;
  };

  it("is the underlay's less the largest of the outer headers in use", () => {
    assert.equal(mtuWith(POOL), 1500);
    assert.equal(mtuWith(ipipPool(true)), 1480);
    assert.equal(mtuWith(vxlanPool(true)), 1450);
    assert.equal(mtuWith(ipipPool(false), { ...vxlanPool(false), name: "second" } as Fact), 1450);
    assert.equal(mtuWith(vxlanPool(false), settings({ wireguardEnabled: true })), 1440);
  });

  it("keeps room for a tunnel that no pool wants any more, as long as its end is there", () => {
    assert.equal(mtuWith(POOL, OWN_END), 1450);
    assert.equal(mtuWith(POOL, ipipEnd("bpf")), 1480);
    assert.equal(mtuWith(POOL, WIREGUARD_END), 1440);
  });

  it("is smaller where a person has said so of a tunnel in use", () => {
    const said = settings({ tunnelMtus: { ipip: 1300, vxlan: 1200, vxlan6: 1290, wireguard: 1100 } });
    assert.equal(mtuWith(POOL, said), 1500);
    assert.equal(mtuWith(ipipPool(false), said), 1300);
  });
});

describe("the sizes of tunnels", () => {
  const issuesWith = (...facts: readonly Fact[]): readonly string[] => {
    const calculation = new Calculation("host1");
    calculation.update(facts);
    return calculation.mtuIssues();
  };
  const said = (mtu: number): Fact =>
    settings({ tunnelMtus: { ipip: 0, vxlan: mtu, vxlan6: mtu, wireguard: 0 } });

  it("are right as they are worked out, and nobody's business where no tunnel is in use", () => {
    assert.deepEqual(issuesWith(vxlanPool(true), UNDERLAY), []);
    assert.deepEqual(issuesWith(vxlanPool(true)), []);
    assert.deepEqual(issuesWith(POOL, UNDERLAY, said(9000)), []);
  });

  it("are told where packets do not fit", () => {
    assert.deepEqual(issuesWith(vxlanPool(true), UNDERLAY, said(1450)), []);
    assert.deepEqual(issuesWith(vxlanPool(true), UNDERLAY, said(1451)), [
      "MTU: packets of vxlanMTU 1451 do not fit: the underlay's 1500 octets leave room for 1450",
    ]);
  });

  it("are told where they are too small for IPv4", () => {
    assert.deepEqual(issuesWith(ipipPool(true), { kind: "underlay", mtu: 596 }), []);
    assert.deepEqual(issuesWith(ipipPool(true), { kind: "underlay", mtu: 595 }), [
      "MTU: 575 octets for ipip are too few, IPv4 wants 576: the underlay's 595 octets leave room for 575",
    ]);
  });
});

describe("pools that overlap by mistake", () => {
  it("have the closest decide how packets travel, in whatever order they are heard of", () => {
    const inner: Fact = {
      kind: "pool",
      name: "inner",
      value: {
        cidr: parseCidr("10.1.2.0/24"),
        encapsulation: { kind: "none" },
        disableBgpExport: false,
      },
    };
    const facts = [...VXLAN_NODES, OWN_END, UNDERLAY, ...TWO_BLOCKS, vxlanPool(false), inner];
    for (const order of [facts, facts.toReversed()]) {
      const calculation = new Calculation("host1");
      calculation.update(order);
      assert.equal(calculation.isInUse("vxlan"), false);
      calculation.update([{ kind: "pool", name: "inner", value: undefined }]);
      assert.equal(calculation.isInUse("vxlan"), true);
    }
  });
});

describe("what a node has ceased to announce", () => {
  it("is told once: its blocks, and addresses of others' blocks", () => {
    const calculation = new Calculation("host1");
    const borrowing = block(BLOCK2, "host2", [["10.1.2.9", "host1"]]);
    calculation.update([...TWO_NODES, block(BLOCK1, "host1"), affinity("host1", BLOCK1), borrowing]);
    const ends = [affinity("host1", BLOCK1, false), block(BLOCK2, "host2")];
    assert.deepEqual(calculation.update(ends).withdrawn, [BLOCK1, "10.1.2.9/32"]);
    assert.deepEqual(calculation.update([affinity("host1", BLOCK1)]).withdrawn, []);
  });
});

describe("the cost of one change", () => {
  it("is one route's delta, in a cluster of a thousand nodes as in one of two", () => {
    const calculation = new Calculation("host1");
    const nodes = Array.from({ length: 1000 }, (_, index) => {
      const name = `node${index}`;
      const cidr = parseCidr(`10.${index >> 8}.${index & 255}.0/26`);
      return [node(name, `192.168.0.${(index % 250) + 1}`), block(cidr, name), affinity(name, cidr)];
    });
    calculation.update([node("host1", "192.168.0.254"), BY_DATASTORE, ...nodes.flat()]);
    const delta = calculation.update([node("node7", "192.168.0.253")]);
    assert.deepEqual([...delta.route.keys()], ["10.0.7.0/26 metric 1024"]);
  });
});

describe("outgoing translation", () => {
  const natOf = (...facts: readonly Fact[]): readonly string[] => {
    const calculation = new Calculation("host1");
    calculation.update(facts);
    return calculation.state().nat.map(natKey);
  };
  const NODES = [
    node("host1", "192.168.0.101"),
    node("host2", "192.168.0.102", { ipv6: { address: parseIp("fd01::2"), subnet: parseCidr("fd01::/64") } }),
  ];
  const SPARING = settings({ natSparesHosts: true });

  it("is nothing as long as no pool asks for it", () => {
    assert.deepEqual(natOf(...NODES, SPARING, natPool("p", "10.1.0.0/16", false)), []);
  });

  it("has pools that ask for it and all pools, each prefix within no other", () => {
    const pools = [
      natPool("p", "10.1.0.0/16", true),
      natPool("inside", "10.1.2.0/24", true),
      natPool("around", "10.0.0.0/8", false),
      natPool("six", "fd00::/48", false),
    ];
    assert.deepEqual(natOf(...NODES, ...pools), [
      "nat",
      "nat pool 10.0.0.0/8",
      "nat pool fd00::/48",
      "nat translated 10.1.0.0/16",
    ]);
  });

  it("spares each address of each node where it is to, whatever is learnt first", () => {
    const facts = [...NODES, SPARING, natPool("p", "10.1.0.0/16", true)];
    const hosts = ["nat host 192.168.0.101", "nat host 192.168.0.102", "nat host fd01::2"];
    for (const order of [facts, facts.toReversed()])
      assert.deepEqual(
        natOf(...order).filter((key) => key.startsWith("nat host")),
        hosts,
      );
    const undone = [...facts, settings({})];
    assert.deepEqual(
      natOf(...undone).filter((key) => key.startsWith("nat host")),
      [],
    );
  });

  it("costs one element for a node more", () => {
    const calculation = new Calculation("host1");
    calculation.update([...NODES, SPARING, natPool("p", "10.1.0.0/16", true)]);
    const { nat } = calculation.update([node("host3", "192.168.0.103")]);
    assert.deepEqual([...nat.keys()], ["nat host 192.168.0.103"]);
  });
});

describe("the check of source addresses", () => {
  it("is there from the first moment, with an element for each address of each endpoint", () => {
    const calculation = new Calculation("host1");
    calculation.update([]);
    assert.deepEqual(calculation.state().source.map(sourceKey), ["source check"]);
    const { source } = calculation.update([endpoint("a", "cali0123456789a", "10.1.1.2")]);
    assert.deepEqual([...source.keys()], ["source cali0123456789a . 10.1.1.2"]);
  });
});
