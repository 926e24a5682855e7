// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseMac } from "../net/mac.ts";
import type { Header } from "./headers.ts";
import { explain } from "./explain.ts";
import type { Observation, Station } from "./observation.ts";
import { questionsOf } from "./questions.ts";
import {
  A,
  ARP,
  B,
  BACK,
  CALI_A,
  CALI_D,
  D,
  ECHO,
  ETH0,
  GATEWAY,
  HOST1,
  HOST2,
  OWN_BLOCK,
  STATION_A,
  STATION_D,
  STATION_HOST1,
  STATION_HOST2,
  THERE,
  TO_BLOCK2,
  TUNNEL,
  UNDERLAY,
  finds,
  inTunnel,
  observationOf,
  refuses,
  sightingsOf,
} from "./reference-network.ts";
import { renderTrace, traceToJson } from "./render.ts";
import type { Cause } from "./trace.ts";

function text(observation: Observation): readonly string[] {
  return renderTrace(explain(observation)).split("\n");
}

describe("a path that works", () => {
  it("is told step by step, in the order of the data path", () => {
    assert.deepEqual(text(observationOf({ resolutions: ARP })), [
      "a (10.1.0.1 on host1) -> d (10.1.64.1 on host2): ICMP echo of 84 octets, marked by identifier 7 and sequence 8",
      "",
      "The way there",
      "  1  a      asked                looks up 10.1.64.1: default via 169.254.1.1 dev eth0 (from the CNI plugin, or a command). Its own address is a /32, so every other one is behind the gateway",
      "  2  a      asked                169.254.1.1 on eth0 is at ee:ee:ee:ee:ee:ee, by a permanent entry, so without ARP",
      "  3  a      seen          +0 µs  out by eth0: [02:00:00:00:00:0a > ee:ee:ee:ee:ee:ee] [IP 10.1.0.1 > 10.1.64.1, ttl 64, 84 octets] [ICMP echo request]",
      "  4  host1  seen         +10 µs  in by calia: [02:00:00:00:00:0a > ee:ee:ee:ee:ee:ee] [IP 10.1.0.1 > 10.1.64.1, ttl 64, 84 octets] [ICMP echo request]",
      "  5  host1  asked                looks up 10.1.64.1, to forward it: 10.1.64.0/26 via 192.168.0.102 dev eth0 (from BIRD)",
      "  6  host1  asked                192.168.0.102 on eth0 is at 02:00:00:00:01:02, known by ARP from before",
      "  7  host1  seen         +20 µs  out by eth0: [02:00:00:00:01:01 > 02:00:00:00:01:02] [IP 10.1.0.1 > 10.1.64.1, ttl 63, 84 octets] [ICMP echo request]",
      "  8  host2  seen         +30 µs  in by eth0: [02:00:00:00:01:01 > 02:00:00:00:01:02] [IP 10.1.0.1 > 10.1.64.1, ttl 63, 84 octets] [ICMP echo request]",
      "  9  host2  asked                looks up 10.1.64.1, to forward it: 10.1.64.1/32 dev calid (from Margay)",
      " 10  host2  asked                10.1.64.1 on calid is at 02:00:00:00:00:0d, by a permanent entry, so without ARP",
      " 11  host2  seen         +40 µs  out by calid: [ee:ee:ee:ee:ee:ee > 02:00:00:00:00:0d] [IP 10.1.0.1 > 10.1.64.1, ttl 62, 84 octets] [ICMP echo request]",
      " 12  d      seen         +50 µs  in by eth0: [ee:ee:ee:ee:ee:ee > 02:00:00:00:00:0d] [IP 10.1.0.1 > 10.1.64.1, ttl 62, 84 octets] [ICMP echo request]",
      " 13  d      seen                 10.1.64.1 is its own address: delivered",
      "",
      "The way back",
      " 14  d      asked                looks up 10.1.0.1: default via 169.254.1.1 dev eth0 (from the CNI plugin, or a command). Its own address is a /32, so every other one is behind the gateway",
      " 15  d      asked                169.254.1.1 on eth0 is at ee:ee:ee:ee:ee:ee, by a permanent entry, so without ARP",
      " 16  d      seen         +60 µs  out by eth0: [02:00:00:00:00:0d > ee:ee:ee:ee:ee:ee] [IP 10.1.64.1 > 10.1.0.1, ttl 64, 84 octets] [ICMP echo reply]",
      " 17  host2  seen         +70 µs  in by calid: [02:00:00:00:00:0d > ee:ee:ee:ee:ee:ee] [IP 10.1.64.1 > 10.1.0.1, ttl 64, 84 octets] [ICMP echo reply]",
      " 18  host2  asked                looks up 10.1.0.1, to forward it: 10.1.0.0/26 via 192.168.0.101 dev eth0 (from BIRD)",
      " 19  host2  seen         +71 µs  out by eth0: [02:00:00:00:01:02 > ff:ff:ff:ff:ff:ff] [ARP: who has 192.168.0.101?]",
      " 20  host2  seen         +72 µs  in by eth0: [02:00:00:00:01:01 > 02:00:00:00:01:02] [ARP: 192.168.0.101 is at 02:00:00:00:01:01]",
      " 21  host2  asked                192.168.0.101 on eth0 is at 02:00:00:00:01:01, asked by ARP just now",
      " 22  host2  seen         +80 µs  out by eth0: [02:00:00:00:01:02 > 02:00:00:00:01:01] [IP 10.1.64.1 > 10.1.0.1, ttl 63, 84 octets] [ICMP echo reply]",
      " 23  host1  seen         +90 µs  in by eth0: [02:00:00:00:01:02 > 02:00:00:00:01:01] [IP 10.1.64.1 > 10.1.0.1, ttl 63, 84 octets] [ICMP echo reply]",
      " 24  host1  asked                looks up 10.1.0.1, to forward it: 10.1.0.1/32 dev calia (from Margay)",
      " 25  host1  asked                10.1.0.1 on calia is at 02:00:00:00:00:0a, by a permanent entry, so without ARP",
      " 26  host1  seen        +100 µs  out by calia: [ee:ee:ee:ee:ee:ee > 02:00:00:00:00:0a] [IP 10.1.64.1 > 10.1.0.1, ttl 62, 84 octets] [ICMP echo reply]",
      " 27  a      seen        +110 µs  in by eth0: [ee:ee:ee:ee:ee:ee > 02:00:00:00:00:0a] [IP 10.1.64.1 > 10.1.0.1, ttl 62, 84 octets] [ICMP echo reply]",
      " 28  a      seen                 10.1.0.1 is its own address: delivered",
      " 29  a      seen                 the answer is there, 110 µs after the probe left",
      "",
      "The path works.",
    ]);
  });

  it("names its steps in JSON too, and the same words", () => {
    const { steps, ok, fault } = traceToJson(explain(observationOf())) as {
      ok: boolean;
      fault: unknown;
      steps: { number: number; station: string; evidence: string; fact: { kind: string }; text: string }[];
    };
    assert.deepEqual({ ok, fault }, { ok: true, fault: null });
    const [first] = steps;
    assert.deepEqual(
      { number: first?.number, station: first?.station, evidence: first?.evidence, kind: first?.fact.kind },
      { number: 1, station: "a", evidence: "asked", kind: "route" },
    );
    assert.match(first?.text ?? "", /^looks up 10\.1\.64\.1: default via 169\.254\.1\.1 dev eth0/);
  });

  it("works though a capture point was missed, and though a probe was lost before", () => {
    const sightings = sightingsOf([...THERE, ...BACK]).filter((_, index) => index !== 3 && index !== 8);
    assert.equal(explain(observationOf({ sightings })).ok, true);
    assert.match(text(observationOf({ lost: 1 })).join("\n"), /1 probe before this one had no answer/);
  });

  it("ends at the next host where nobody can look further, and goes on with what comes back", () => {
    const stations = [STATION_A, STATION_HOST1];
    const sightings = sightingsOf([...THERE.slice(0, 3), ...BACK.slice(3)]);
    const { destination: _, ...observation } = observationOf({ stations, sightings });
    const { ok, steps, destination } = explain(observation);
    assert.equal(ok, true);
    assert.deepEqual(destination, { name: null, address: D, node: null });
    assert.deepEqual(
      steps.filter(({ station }) => station === "host1").map(({ fact }) => fact.kind),
      ["seen", "route", "neighbour", "seen", "unobserved", "seen", "route", "neighbour", "seen"],
    );
  });

  it("says where sight ends, and why, where no answer comes from beyond", () => {
    const { destination: _, ...observation } = observationOf({
      stations: [STATION_A, STATION_HOST1],
      sightings: sightingsOf(THERE.slice(0, 3)),
    });
    const { fault } = explain({ ...observation, silence: 'the agent of "host2" did not answer in 3 s' });
    assert.deepEqual([fault?.cause, fault?.station], ["lost", "host1"]);
    assert.match(
      fault?.text ?? "",
      /for 192\.168\.0\.102, beyond which nothing can be seen from here \(the agent of "host2" did not answer in 3 s\), and no answer came back/,
    );
  });

  it("is one to a closed port: the container says so itself", () => {
    const udp = { kind: "udp", srcPort: 50_000, dstPort: 53 } as const;
    const changed = ([station, ifIndex, direction, headers]: (typeof THERE)[number]) => {
      const kept = headers.slice(0, 2);
      const isBack = kept.some((header) => header.kind === "ipv4" && header.src === D);
      const quoted: readonly Header[] = [...kept.slice(1), udp];
      const payload: Header = isBack ? { kind: "icmp", type: 3, code: 3, quoted } : udp;
      return [station, ifIndex, direction, [...kept, payload]] as const;
    };
    const probe = { ...udp, src: A, dst: D, packetBytes: 84 };
    const trace = explain(observationOf({ probe, sightings: sightingsOf([...THERE, ...BACK].map(changed)) }));
    assert.equal(trace.ok, true);
    assert.match(renderTrace(trace), /in by eth0: .*\[ICMP port unreachable\]/);
  });
});

describe("a path through a tunnel", () => {
  const outerRoute = (station: Station, dst: typeof A): Station => ({
    ...station,
    lookups: [...station.lookups, finds({ dst }, UNDERLAY)],
  });

  it("of programs shows the outer header where it is put on, and where it is taken off", () => {
    const sightings = sightingsOf(
      inTunnel([...THERE, ...BACK], (outer) => [{ ...outer, protocol: 4, length: 104 }]),
    );
    const there = text(observationOf({ sightings }));
    assert.deepEqual(
      there.filter((line) => line.includes("IPIP")),
      [
        "  7  host1  seen                 a program (BPF) on eth0 puts it into another packet (IPIP): IP 192.168.0.101 > 192.168.0.102, protocol 4, ttl 64, 104 octets, 20 octets more",
        " 10  host2  computed             the outer packet is addressed to this node, and a program (BPF) on eth0 takes the inner one out (IPIP from 192.168.0.101)",
        " 22  host2  seen                 a program (BPF) on eth0 puts it into another packet (IPIP): IP 192.168.0.102 > 192.168.0.101, protocol 4, ttl 64, 104 octets, 20 octets more",
        " 25  host1  computed             the outer packet is addressed to this node, and a program (BPF) on eth0 takes the inner one out (IPIP from 192.168.0.102)",
      ],
    );
  });

  it("ends at the rule that drops the packet, and says whether it had been taken out", () => {
    const sightings = sightingsOf(inTunnel(THERE.slice(0, 4), (outer) => [{ ...outer, protocol: 4 }]));
    for (const [isAround, steps, told] of [
      [
        false,
        ["seen", "decapsulated", "dropped"],
        /and nftables drops it there, by the rule "drop" of chain "f"/,
      ],
      [
        true,
        ["seen", "dropped"],
        /and nftables drops the outer packet there, by the rule "drop" of chain "f"/,
      ],
    ] as const) {
      const drop = { station: "host2", table: "ip other", chain: "f", rule: "drop", isAround };
      const trace = explain(observationOf({ sightings, drop }));
      const there = trace.steps.filter(({ station }) => station === "host2");
      assert.deepEqual(
        there.map(({ fact }) => fact.kind),
        steps,
      );
      assert.match(trace.fault?.text ?? "", told);
    }
  });

  it("of a device shows the device, and the lookup for the outer packet", () => {
    const around = (outer: Header & { readonly kind: "ipv4" }): readonly Header[] => [
      { ...outer, protocol: 17, length: 134 },
      { kind: "udp", srcPort: 40_000, dstPort: 4789 },
      { kind: "vxlan", vni: 4096 },
      { kind: "ethernet", src: parseMac("66:00:00:00:00:01"), dst: parseMac("66:00:00:00:00:02") },
    ];
    const [tunnelled1, tunnelled2] = [inTunnel(THERE, around), inTunnel(BACK, around)];
    const inner = (places: typeof THERE, index: number) => places[index]?.[3] ?? [];
    const sightings = sightingsOf([
      ...tunnelled1.slice(0, 2),
      ["host1", TUNNEL, "out", inner(THERE, 2)],
      ...tunnelled1.slice(2, 4),
      ["host2", TUNNEL, "in", inner(THERE, 3)],
      ...tunnelled1.slice(4),
      ...tunnelled2,
    ]);
    const device = { index: TUNNEL, name: "vxlan.calico", kind: "vxlan", mtu: 1450, up: true, running: true };
    const withDevice = (station: Station, dst: typeof A): Station => ({
      ...outerRoute(station, dst),
      links: [...station.links, device],
    });
    const host2: Station = {
      ...withDevice(STATION_HOST2, HOST1),
      lookups: [finds({ src: A, dst: D, inIfIndex: TUNNEL }, TO_BLOCK2), ...STATION_HOST2.lookups],
    };
    const stations = [STATION_A, withDevice(STATION_HOST1, HOST2), host2, STATION_D];
    const { steps } = explain(observationOf({ stations, sightings }));
    const told = steps.filter(({ direction }) => direction === "there");
    assert.deepEqual(
      told.map(({ station, fact }) => `${station} ${fact.kind}`),
      [
        ...["a route", "a neighbour", "a seen"],
        ...[
          "host1 seen",
          "host1 route",
          "host1 seen",
          "host1 encapsulated",
          "host1 route",
          "host1 neighbour",
          "host1 seen",
        ],
        ...["host2 seen", "host2 decapsulated", "host2 seen", "host2 route", "host2 seen"],
        ...["d seen", "d delivered"],
      ],
    );
    const added = told.flatMap(({ fact }) => (fact.kind === "encapsulated" ? [fact] : []));
    assert.deepEqual(
      added.map(({ as, by, outer }) => [as, by, outer.dst]),
      [["vxlan", "vxlan.calico", HOST2]],
    );
  });
});

describe("the questions of a trace", () => {
  it("are those that its steps are told by, each once", () => {
    const stations = [STATION_A, STATION_HOST1, STATION_HOST2, STATION_D];
    const sightings = sightingsOf(inTunnel([...THERE, ...BACK], (outer) => [{ ...outer, protocol: 4 }]));
    assert.deepEqual(questionsOf([...sightings, ...sightings], stations, ECHO), [
      { station: "a", question: { src: A, dst: D } },
      { station: "d", question: { src: D, dst: A } },
      { station: "host1", question: { src: A, dst: D, inIfIndex: CALI_A } },
      { station: "host1", question: { dst: HOST2 } },
      { station: "host2", question: { src: A, dst: D, inIfIndex: ETH0 } },
      { station: "host2", question: { src: D, dst: A, inIfIndex: CALI_D } },
      { station: "host2", question: { dst: HOST1 } },
      { station: "host1", question: { src: D, dst: A, inIfIndex: ETH0 } },
    ]);
  });
});

/** What is otherwise, how far the probe came, and what is to be said of it. */
interface Broken {
  readonly stations?: Partial<Record<"a" | "host1" | "host2" | "d", Partial<Station>>>;
  readonly seen: Observation["sightings"];
  readonly sendError?: string;
  readonly cause: Cause;
  readonly at: string;
  readonly text: RegExp;
  readonly remedy: RegExp;
}

const there = (count: number) => sightingsOf(THERE.slice(0, count));
const back = (count: number) => sightingsOf([...THERE, ...BACK.slice(0, count)]);
const [ETH0_A] = STATION_A.links;
const downOf = (station: Station, name: string) =>
  station.links.map((link) => (link.name === name ? { ...link, up: false, running: false } : link));
const noEntry = { before: [], after: [{ ifIndex: ETH0, ip: GATEWAY, state: "unknown" as const }] };
const forward = { src: A, dst: D, inIfIndex: CALI_A };

const BROKEN: Readonly<Record<string, Broken>> = {
  "the container's link is switched off inside": {
    stations: {
      a: { links: downOf(STATION_A, "eth0"), lookups: [refuses({ src: A, dst: D }, "ENETUNREACH")] },
    },
    seen: [],
    sendError: "ENETUNREACH",
    cause: "linkDown",
    at: "a",
    text: /"eth0" of "a" is switched off/,
    remedy: /ip link set eth0 up/,
  },
  "the container's link is switched off on the node": {
    stations: {
      a: { links: ETH0_A === undefined ? [] : [{ ...ETH0_A, running: false }] },
      host1: { links: downOf(STATION_HOST1, "calia") },
    },
    seen: [],
    cause: "linkDown",
    at: "host1",
    text: /"calia" of "host1" is switched off/,
    remedy: /ip link set calia up/,
  },
  "the container has no route": {
    stations: { a: { lookups: [refuses({ src: A, dst: D }, "ENETUNREACH")] } },
    seen: [],
    sendError: "ENETUNREACH",
    cause: "noRoute",
    at: "a",
    text: /"a" has no route to 10\.1\.64\.1 \(ENETUNREACH\)/,
    remedy: /ip route add default via 169\.254\.1\.1/,
  },
  "the container has another address than it should": {
    stations: { a: { addresses: [], lookups: [] } },
    seen: [],
    sendError: "EADDRNOTAVAIL",
    cause: "notSent",
    at: "a",
    text: /does not have the address 10\.1\.0\.1/,
    remedy: /make the container anew/,
  },
  "the packet is longer than the container's interface takes": {
    seen: [],
    sendError: "EMSGSIZE",
    cause: "mtu",
    at: "a",
    text: /84 octets.*takes 1500/,
    remedy: /--size 1500/,
  },
  "proxy ARP is off, and the permanent entry gone": {
    stations: {
      a: { neighbours: noEntry },
      host1: { settings: { ...STATION_HOST1.settings, "net/ipv4/conf/calia/proxy_arp": "0" } },
    },
    seen: [],
    cause: "proxyArp",
    at: "host1",
    text: /proxy ARP is off on "calia" of "host1"/,
    remedy: /proxy_arp=1/,
  },
  "proxy ARP has no route to answer for": {
    stations: { a: { neighbours: noEntry } },
    seen: [],
    cause: "proxyArp",
    at: "a",
    text: /only while "host1" has a route to 169\.254\.1\.1/,
    remedy: /nud permanent/,
  },
  "the container keeps it to itself": {
    seen: [],
    cause: "notSent",
    at: "a",
    text: /not seen leaving/,
    remedy: /nft list ruleset/,
  },
  "forwarding is off": {
    stations: {
      host1: {
        lookups: [refuses(forward, "EHOSTUNREACH")],
        settings: { "net/ipv4/ip_forward": "0", "net/ipv4/conf/calia/forwarding": "0" },
      },
    },
    seen: there(2),
    cause: "forwardingOff",
    at: "host1",
    text: /net\.ipv4\.ip_forward is 0/,
    remedy: /sysctl -w net\.ipv4\.ip_forward=1/,
  },
  "the node has no route": {
    stations: { host1: { lookups: [refuses(forward, "ENETUNREACH")], routes: [UNDERLAY] } },
    seen: there(2),
    cause: "noRoute",
    at: "host1",
    text: /"host1" has no route to 10\.1\.64\.1 \(ENETUNREACH\)\. The address is on "host2", whose block has not arrived/,
    remedy: /margay node status/,
  },
  "the other node is dead, and its route withdrawn": {
    stations: {
      host1: { lookups: [refuses(forward, "ENETUNREACH")], routes: [UNDERLAY] },
      host2: { processes: { agent: false, bird: false } },
    },
    seen: there(2),
    cause: "noRoute",
    at: "host1",
    text: /on "host2", where the agent and BIRD do not run/,
    remedy: /Start the agent of "host2"/,
  },
  "a blackhole takes it": {
    stations: {
      host1: {
        lookups: [refuses(forward, "EINVAL")],
        routes: [{ ...OWN_BLOCK, dst: TO_BLOCK2.dst }, UNDERLAY],
      },
    },
    seen: there(2),
    cause: "blackhole",
    at: "host1",
    text: /its longest match is blackhole 10\.1\.64\.0\/26/,
    remedy: /margay ipam show --ip=10\.1\.64\.1/,
  },
  "the reverse-path filter drops it": {
    stations: {
      host1: {
        lookups: [refuses(forward, "EINVAL")],
        routes: [TO_BLOCK2, UNDERLAY],
        settings: { "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/calia/rp_filter": "1" },
      },
    },
    seen: there(2),
    cause: "reversePath",
    at: "host1",
    text: /rp_filter 1.*has no route back/,
    remedy: /conf\/calia\/rp_filter=0/,
  },
  "the check of source addresses drops it": {
    stations: { host1: { filters: { "inet margay-source own4": [`calib . ${B}`] } } },
    seen: there(2),
    cause: "sourceCheck",
    at: "host1",
    text: /from "calia" with the source address 10\.1\.0\.1/,
    remedy: /workloadendpoints/,
  },
  "the next hop is dead": {
    stations: {
      host1: { neighbours: { before: [], after: [{ ifIndex: ETH0, ip: HOST2, state: "unknown" }] } },
    },
    seen: there(2),
    cause: "neighbour",
    at: "host1",
    text: /asks for 192\.168\.0\.102 on "eth0" by ARP, and nobody answers/,
    remedy: /ping 192\.168\.0\.102/,
  },
  "the way on takes shorter packets only": {
    stations: { host1: { lookups: [finds(forward, { ...TO_BLOCK2, mtu: 80 })] } },
    seen: there(2),
    cause: "mtu",
    at: "host1",
    text: /has 84 octets.*takes 80 at most/,
    remedy: /margay node check/,
  },
  "something on the node drops it": {
    seen: there(2),
    cause: "dropped",
    at: "host1",
    text: /would send it on by 10\.1\.64\.0\/26 via 192\.168\.0\.102 dev eth0/,
    remedy: /nft list ruleset/,
  },
  "it is lost on the underlay": {
    seen: there(3),
    cause: "lost",
    at: "host1",
    text: /left "host1" by "eth0" for 192\.168\.0\.102 of "host2"/,
    remedy: /ping 192\.168\.0\.102/,
  },
  "the other host is off the network": {
    stations: { host2: { links: downOf(STATION_HOST2, "eth0") } },
    seen: there(3),
    cause: "linkDown",
    at: "host2",
    text: /"eth0" of "host2" is switched off/,
    remedy: /ip link set eth0 up/,
  },
  "a stranger's tunnel packet is dropped": {
    stations: { host2: { filters: { "ip margay nodes": ["192.168.0.103"] } } },
    seen: sightingsOf(inTunnel(THERE.slice(0, 4), (outer) => [{ ...outer, protocol: 4 }])),
    cause: "tunnelGuard",
    at: "host2",
    text: /through the tunnel from 192\.168\.0\.101/,
    remedy: /margay get nodes/,
  },
  "the other container does not answer": {
    seen: back(0),
    cause: "noAnswer",
    at: "d",
    text: /delivered to "d", which did not answer/,
    remedy: /ss -lntu/,
  },
  "the other container may not answer": {
    stations: { d: { settings: { "net/ipv4/icmp_echo_ignore_all": "1" } } },
    seen: back(0),
    cause: "noAnswer",
    at: "d",
    text: /answer no echo/,
    remedy: /icmp_echo_ignore_all=0/,
  },
  "the other host has no route back": {
    stations: {
      host2: { lookups: [refuses({ src: D, dst: A, inIfIndex: CALI_D }, "ENETUNREACH")], routes: [] },
    },
    seen: back(2),
    cause: "noRoute",
    at: "host2",
    text: /"host2" has no route to 10\.1\.0\.1/,
    remedy: /margay node status/,
  },
};

describe("a path that is broken", () => {
  for (const [name, { stations = {}, seen, sendError, cause, at, text: words, remedy }] of Object.entries(
    BROKEN,
  ))
    it(`ends where ${name}`, () => {
      const observed = [STATION_A, STATION_HOST1, STATION_HOST2, STATION_D].map((station) => ({
        ...station,
        ...stations[station.name as keyof typeof stations],
      }));
      const changes = { stations: observed, sightings: seen, ...(sendError !== undefined && { sendError }) };
      const { ok, fault, steps } = explain(observationOf(changes));
      assert.equal(ok, false);
      assert.ok(fault !== null);
      assert.deepEqual({ cause: fault.cause, at: fault.station }, { cause, at });
      assert.match(fault.text, words);
      assert.match(fault.remedy, remedy);
      assert.equal(steps.filter(({ fact }) => fact.kind === "seen").length, seen.length);
    });

  it("has the words of the router that said so", () => {
    const quoted = THERE[1]?.[3].slice(1) ?? [];
    const said: Header[] = [
      { kind: "ipv4", src: HOST1, dst: A, protocol: 1, ttl: 64, length: 112 },
      { kind: "icmp", type: 3, code: 0, quoted },
    ];
    const host1 = { ...STATION_HOST1, lookups: [refuses(forward, "ENETUNREACH")], routes: [] };
    const sightings = sightingsOf([...THERE.slice(0, 2), ["host1", CALI_A, "out", said]]);
    const { fault, steps } = explain(
      observationOf({ stations: [STATION_A, host1, STATION_HOST2, STATION_D], sightings }),
    );
    assert.match(fault?.text ?? "", /"host1" says so itself: ICMP network unreachable\.$/);
    assert.equal(steps.length, 4);
  });
});
