// SPDX-License-Identifier: Apache-2.0
// For tests: the reference network (two hosts, two containers each) as an observation of it would be.
import { parseCidr } from "../net/cidr.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseMac } from "../net/mac.ts";
import type { Header, Ipv4Header } from "./headers.ts";
import type {
  Lookup,
  NeighbourFacts,
  Observation,
  Probe,
  Question,
  RouteFacts,
  Sighting,
  Station,
} from "./observation.ts";

export const A = parseIpv4("10.1.0.1");
export const B = parseIpv4("10.1.0.2");
export const D = parseIpv4("10.1.64.1");
export const HOST1 = parseIpv4("192.168.0.101");
export const HOST2 = parseIpv4("192.168.0.102");
export const GATEWAY = parseIpv4("169.254.1.1");

/** Of the node ends of containers' links. */
const NODE_END = parseMac("ee:ee:ee:ee:ee:ee");
const MACS = {
  a: parseMac("02:00:00:00:00:0a"),
  b: parseMac("02:00:00:00:00:0b"),
  d: parseMac("02:00:00:00:00:0d"),
  host1: parseMac("02:00:00:00:01:01"),
  host2: parseMac("02:00:00:00:01:02"),
} as const;

/** Interface numbers. */
export const ETH0 = 2;
export const CALI_A = 3;
export const CALI_B = 4;
export const CALI_D = 3;
export const TUNNEL = 5;

export const ECHO: Probe = {
  kind: "icmp",
  src: A,
  dst: D,
  packetBytes: 84,
  identifier: 7,
  sequence: 8,
};

const ROUTE = { table: 254, type: "unicast", metric: 0, onlink: false } as const;
const DEFAULT_ROUTE: RouteFacts = {
  ...ROUTE,
  dst: parseCidr("0.0.0.0/0"),
  protocol: 3,
  ifIndex: ETH0,
  gateway: GATEWAY,
};
export const TO_A: RouteFacts = { ...ROUTE, dst: parseCidr("10.1.0.1/32"), protocol: 80, ifIndex: CALI_A };
export const TO_B: RouteFacts = { ...ROUTE, dst: parseCidr("10.1.0.2/32"), protocol: 80, ifIndex: CALI_B };
export const TO_D: RouteFacts = { ...ROUTE, dst: parseCidr("10.1.64.1/32"), protocol: 80, ifIndex: CALI_D };
export const OWN_BLOCK: RouteFacts = {
  ...ROUTE,
  dst: parseCidr("10.1.0.0/26"),
  type: "blackhole",
  protocol: 80,
};
const BY_BIRD = { ...ROUTE, protocol: 12, metric: 32, ifIndex: ETH0 } as const;
export const TO_BLOCK2: RouteFacts = { ...BY_BIRD, dst: parseCidr("10.1.64.0/26"), gateway: HOST2 };
export const TO_BLOCK1: RouteFacts = { ...BY_BIRD, dst: parseCidr("10.1.0.0/26"), gateway: HOST1 };
export const UNDERLAY: RouteFacts = {
  ...ROUTE,
  dst: parseCidr("192.168.0.0/24"),
  protocol: 2,
  ifIndex: ETH0,
};

/** The kernel's answer to a question. */
export function finds(question: Question, route: RouteFacts): Lookup {
  return { ...question, result: { kind: "route", route } };
}

export function refuses(question: Question, code: string): Lookup {
  return { ...question, result: { kind: "refused", code } };
}

function entries(list: readonly NeighbourFacts[]): Station["neighbours"] {
  return { before: list, after: list };
}

function link(index: number, name: string, mac = NODE_END): Station["links"][number] {
  return { index, name, kind: "veth", mac, mtu: 1500, up: true, running: true };
}

function container(name: "a" | "b" | "d", node: string, ip: typeof A, other: typeof A): Station {
  return {
    name,
    kind: "container",
    attachment: { node, ifName: `cali${name}` },
    links: [link(ETH0, "eth0", MACS[name])],
    addresses: [{ ifIndex: ETH0, ip, prefixLength: 32 }],
    neighbours: entries([{ ifIndex: ETH0, ip: GATEWAY, mac: NODE_END, state: "permanent" }]),
    lookups: [finds({ src: ip, dst: other }, DEFAULT_ROUTE)],
    settings: {},
  };
}

export const STATION_A = container("a", "host1", A, D);
export const STATION_D = container("d", "host2", D, A);
const FORWARDING = {
  "net/ipv4/ip_forward": "1",
  "net/ipv4/conf/all/rp_filter": "0",
  "net/ipv4/conf/eth0/forwarding": "1",
  "net/ipv4/conf/calia/forwarding": "1",
  "net/ipv4/conf/calia/proxy_arp": "1",
} as const;
export const STATION_HOST1: Station = {
  name: "host1",
  kind: "node",
  links: [link(ETH0, "eth0", MACS.host1), link(CALI_A, "calia"), link(CALI_B, "calib")],
  addresses: [{ ifIndex: ETH0, ip: HOST1, prefixLength: 24 }],
  neighbours: entries([
    { ifIndex: CALI_A, ip: A, mac: MACS.a, state: "permanent" },
    { ifIndex: CALI_B, ip: B, mac: MACS.b, state: "permanent" },
    { ifIndex: ETH0, ip: HOST2, mac: MACS.host2, state: "known" },
  ]),
  lookups: [
    finds({ src: A, dst: D, inIfIndex: CALI_A }, TO_BLOCK2),
    finds({ src: D, dst: A, inIfIndex: ETH0 }, TO_A),
  ],
  settings: FORWARDING,
};
export const STATION_HOST2: Station = {
  name: "host2",
  kind: "node",
  links: [link(ETH0, "eth0", MACS.host2), link(CALI_D, "calid")],
  addresses: [{ ifIndex: ETH0, ip: HOST2, prefixLength: 24 }],
  neighbours: {
    before: [{ ifIndex: CALI_D, ip: D, mac: MACS.d, state: "permanent" }],
    after: [
      { ifIndex: CALI_D, ip: D, mac: MACS.d, state: "permanent" },
      { ifIndex: ETH0, ip: HOST1, mac: MACS.host1, state: "known" },
    ],
  },
  lookups: [
    finds({ src: A, dst: D, inIfIndex: ETH0 }, TO_D),
    finds({ src: D, dst: A, inIfIndex: CALI_D }, TO_BLOCK1),
  ],
  settings: FORWARDING,
};

const ETHERNET = (src: keyof typeof MACS | undefined, dst: keyof typeof MACS | undefined): Header => ({
  kind: "ethernet",
  src: src === undefined ? NODE_END : MACS[src],
  dst: dst === undefined ? NODE_END : MACS[dst],
});
const ip = (src: typeof A, dst: typeof A, ttl: number, protocol = 1, length = 84): Ipv4Header => ({
  kind: "ipv4",
  src,
  dst,
  protocol,
  ttl,
  length,
});
const icmp = (type: 0 | 8): Header => ({ kind: "icmp", type, code: 0, echo: { identifier: 7, sequence: 8 } });

type Place = readonly [station: string, ifIndex: number, direction: "in" | "out", headers: readonly Header[]];

const request = (ttl: number): readonly Header[] => [ip(A, D, ttl), icmp(8)];
const reply = (ttl: number): readonly Header[] => [ip(D, A, ttl), icmp(0)];

/** The eight capture points of each way, A to D and back, without a tunnel. */
export const THERE: readonly Place[] = [
  ["a", ETH0, "out", [ETHERNET("a", undefined), ...request(64)]],
  ["host1", CALI_A, "in", [ETHERNET("a", undefined), ...request(64)]],
  ["host1", ETH0, "out", [ETHERNET("host1", "host2"), ...request(63)]],
  ["host2", ETH0, "in", [ETHERNET("host1", "host2"), ...request(63)]],
  ["host2", CALI_D, "out", [ETHERNET(undefined, "d"), ...request(62)]],
  ["d", ETH0, "in", [ETHERNET(undefined, "d"), ...request(62)]],
];
export const BACK: readonly Place[] = [
  ["d", ETH0, "out", [ETHERNET("d", undefined), ...reply(64)]],
  ["host2", CALI_D, "in", [ETHERNET("d", undefined), ...reply(64)]],
  ["host2", ETH0, "out", [ETHERNET("host2", "host1"), ...reply(63)]],
  ["host1", ETH0, "in", [ETHERNET("host2", "host1"), ...reply(63)]],
  ["host1", CALI_A, "out", [ETHERNET(undefined, "a"), ...reply(62)]],
  ["a", ETH0, "in", [ETHERNET(undefined, "a"), ...reply(62)]],
];

/** Host2 asks for host1 before it answers. */
export const ARP: readonly Sighting[] = (["request", "reply"] as const).map((operation, index) => ({
  station: "host2",
  ifIndex: ETH0,
  direction: operation === "request" ? "out" : "in",
  atUs: 71 + index,
  headers: [
    operation === "request"
      ? { kind: "ethernet", src: MACS.host2, dst: parseMac("ff:ff:ff:ff:ff:ff") }
      : ETHERNET("host1", "host2"),
    { kind: "arp", operation, ip: HOST1, ...(operation === "reply" && { mac: MACS.host1 }) },
  ],
}));

/** The same with the packets between the hosts inside others. */
export function inTunnel(
  places: readonly Place[],
  around: (outer: Ipv4Header) => readonly Header[],
): Place[] {
  return places.map(([station, ifIndex, direction, headers]): Place => {
    const [ethernet, ...inner] = headers;
    const first = inner[0];
    if (ifIndex !== ETH0 || !station.startsWith("host") || ethernet === undefined || first?.kind !== "ipv4")
      return [station, ifIndex, direction, headers];
    const outer = first.src === A ? ip(HOST1, HOST2, 64) : ip(HOST2, HOST1, 64);
    return [station, ifIndex, direction, [ethernet, ...around(outer), ...inner]];
  });
}

export function sightingsOf(places: readonly Place[]): readonly Sighting[] {
  return places.map(([station, ifIndex, direction, headers], index) => ({
    station,
    ifIndex,
    direction,
    atUs: index * 10,
    headers,
  }));
}

/** A trace from A to D in which all is well, but for what is said otherwise. */
export function observationOf(changes: Partial<Observation> = {}): Observation {
  return {
    probe: ECHO,
    source: "a",
    destination: "d",
    stations: [STATION_A, STATION_HOST1, STATION_HOST2, STATION_D],
    sightings: sightingsOf([...THERE, ...BACK]),
    resolutions: [],
    lost: 0,
    ...changes,
  };
}
