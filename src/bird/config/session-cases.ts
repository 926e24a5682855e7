// SPDX-License-Identifier: Apache-2.0
// Configurations with everything that resources may ask of BGP, for the tests: each is a file of golden/.
import { type BGPFilterSpec, bgpFilterSchema } from "../../model/bgp-filter.ts";
import { API_VERSION } from "../../model/metadata.ts";
import { parseCidr } from "../../net/cidr.ts";
import { parseIp } from "../../net/ip.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import type { BirdFilter, BirdInput, BirdSession } from "./input.ts";

export const ALONE: BirdInput = {
  nodeName: "host1",
  routerId: parseIpv4("192.168.0.101"),
  asNumber: 64512,
  nodeAddress: parseIpv4("192.168.0.101"),
  peers: [],
  originated: [parseCidr("10.1.101.0/26")],
  poolCidrs: [parseCidr("10.1.0.0/16")],
  programKernel: true,
  gracefulRestartSeconds: 120,
  logFile: "/run/margay/bird.log",
};
const DUAL: BirdInput = {
  ...ALONE,
  nodeAddress6: parseIp("fd00::101"),
  originated: ["10.1.101.0/26", "fd00:1::/122"].map(parseCidr),
  poolCidrs: ["10.1.0.0/16", "fd00:1::/48"].map(parseCidr),
};
const HOST2 = { name: "host2", address: parseIpv4("192.168.0.102"), asNumber: 64512 };

/** A router on the node's own network. */
const TOR: BirdSession = {
  name: "tor",
  address: parseIp("192.168.0.1"),
  port: 179,
  asNumber: 64999,
  localAsNumber: 64512,
  node: undefined,
  isPassive: false,
  isDirect: true,
  clusterId: undefined,
  passesOn: false,
  nextHop: "Auto",
  bindsAddress: true,
  password: undefined,
  ttlSecurity: undefined,
  restartSeconds: undefined,
  keepaliveSeconds: undefined,
  allowedLocalAs: undefined,
  reachableBy: undefined,
  filters: [],
  bfd: undefined,
};
const INTERNAL: BirdSession = { ...TOR, asNumber: 64512 };
const FAR: BirdSession = { ...TOR, name: "core", address: parseIp("203.0.113.9"), isDirect: false };
const TOR6: BirdSession = { ...TOR, name: "tor6", address: parseIp("fd00::1") };
const NODE: BirdSession = {
  ...INTERNAL,
  name: "reflectors",
  address: parseIp("192.168.0.103"),
  node: "host3",
  isDirect: false,
};
const BFD = { minReceiveInterval: 300, minTransmitInterval: 300, multiplier: 3 };

function filter(name: string, spec: unknown): BirdFilter {
  const resource = bgpFilterSchema.parse({
    apiVersion: API_VERSION,
    kind: "BGPFilter",
    metadata: { name },
    spec,
  });
  const parsed: BGPFilterSpec = resource.spec;
  return { name, spec: parsed };
}

/** A router that is judged by one filter. */
function judged(spec: unknown, session: BirdSession = TOR): BirdInput {
  return { ...ALONE, sessions: [{ ...session, filters: ["judge"] }], filters: [filter("judge", spec)] };
}

const POOL = { cidr: "10.1.0.0/16" };

export const SESSION_CASES: Readonly<Record<string, BirdInput>> = {
  "router-external": { ...ALONE, sessions: [TOR] },
  "router-internal": { ...ALONE, sessions: [INTERNAL] },
  "router-far": { ...ALONE, sessions: [FAR] },
  "router-beside-the-mesh": { ...ALONE, peers: [HOST2], sessions: [TOR] },
  "two-routers": { ...ALONE, sessions: [FAR, { ...TOR, port: 1790 }] },
  "router-reachable-by": { ...ALONE, sessions: [{ ...FAR, reachableBy: parseIp("192.168.0.254") }] },
  "router-withdrawing": { ...ALONE, sessions: [TOR], programKernel: false },
  "router-none-to-the-kernel": { ...ALONE, sessions: [TOR], kernelCidrs: [] },
  "next-hop-self": { ...ALONE, sessions: [{ ...TOR, nextHop: "Self" }] },
  "next-hop-keep": { ...ALONE, sessions: [{ ...INTERNAL, nextHop: "Keep" }] },
  "no-source-address": { ...ALONE, sessions: [{ ...FAR, bindsAddress: false }] },
  "no-source-address-bound": {
    ...ALONE,
    bindsNodeAddress: true,
    sessions: [{ ...TOR, bindsAddress: false }],
  },
  "no-source-address-bfd": { ...ALONE, sessions: [{ ...FAR, bindsAddress: false, bfd: BFD }] },
  "password-of-a-router": { ...ALONE, sessions: [{ ...TOR, password: "it's {secret}; #1" }] },
  "password-of-the-mesh": { ...ALONE, peers: [HOST2], meshPassword: "let me in" },
  "ttl-security-one-hop": { ...ALONE, sessions: [{ ...TOR, ttlSecurity: 1 }] },
  "ttl-security-two-hops": { ...ALONE, sessions: [{ ...FAR, ttlSecurity: 2 }] },
  "restart-time": { ...ALONE, sessions: [{ ...TOR, restartSeconds: 10 }], gracefulRestartSeconds: 60 },
  "keepalive-time": { ...ALONE, sessions: [{ ...TOR, keepaliveSeconds: 1 }] },
  "local-as-number": { ...ALONE, sessions: [{ ...TOR, localAsNumber: 65001 }] },
  "allowed-local-as": { ...ALONE, sessions: [{ ...TOR, allowedLocalAs: 2 }] },
  "as-of-four-octets": {
    ...ALONE,
    asNumber: 4200000101,
    sessions: [{ ...TOR, asNumber: 4200000001, localAsNumber: 4200000101 }],
  },
  "bfd-of-a-neighbour": { ...ALONE, sessions: [{ ...TOR, bfd: BFD }] },
  "bfd-over-hops": { ...ALONE, sessions: [{ ...FAR, bfd: { ...BFD, multiplier: 5 } }] },
  "client-of-a-reflector": { ...ALONE, sessions: [NODE] },
  reflector: {
    ...ALONE,
    sessions: [
      { ...NODE, clusterId: parseIpv4("244.0.0.1"), passesOn: true, isPassive: true },
      { ...NODE, name: "reflectors", node: "host4", address: parseIp("192.168.0.104"), passesOn: true },
    ],
  },
  "reflector-of-a-router": { ...ALONE, sessions: [{ ...INTERNAL, clusterId: parseIpv4("244.0.0.1") }] },
  "listen-port": { ...ALONE, listenPort: 1790, peers: [HOST2], sessions: [{ ...NODE, port: 1790 }, TOR] },
  "bound-to-the-address": { ...ALONE, bindsNodeAddress: true, peers: [HOST2], sessions: [TOR] },
  "ignored-interfaces": { ...ALONE, ignoredInterfaces: ["kube-ipvs*", "docker0", "cali*"] },
  "warnings-only": { ...ALONE, logLevel: "Warning" },
  communities: {
    ...ALONE,
    peers: [HOST2],
    sessions: [TOR],
    prefixAdvertisements: [
      { cidr: parseCidr("10.1.0.0/16"), communities: ["64512:100", "64512:100:200"] },
      { cidr: parseCidr("10.1.101.0/24"), communities: ["65535:65281"] },
      { cidr: parseCidr("10.9.0.0/16"), communities: [] },
    ],
  },
  "filter-in": judged({ exportV4: [{ ...POOL, matchOperator: "In", action: "Reject" }] }),
  "filter-not-in": judged({ importV4: [{ ...POOL, matchOperator: "NotIn", action: "Reject" }] }),
  "filter-equal": judged({ exportV4: [{ ...POOL, matchOperator: "Equal", action: "Accept" }] }),
  "filter-not-equal": judged({ exportV4: [{ ...POOL, matchOperator: "NotEqual", action: "Reject" }] }),
  "filter-lengths": judged({
    importV4: [
      { ...POOL, matchOperator: "In", prefixLength: { min: 24, max: 26 }, action: "Accept" },
      { ...POOL, matchOperator: "NotIn", prefixLength: { max: 20 }, action: "Reject" },
    ],
  }),
  "filter-everything": judged({ importV4: [{ action: "Reject" }], exportV4: [{ action: "Reject" }] }),
  "filter-source": judged({ exportV4: [{ source: "RemotePeers", action: "Reject" }] }),
  "filter-interface": judged({ exportV4: [{ interface: "*.calico", action: "Reject" }] }),
  "filter-peer-type": judged({
    importV4: [
      { peerType: "eBGP", action: "Accept" },
      { peerType: "iBGP", action: "Reject" },
    ],
  }),
  "filter-communities": judged({
    importV4: [
      { communities: { values: ["65000:100"] }, action: "Accept" },
      { communities: { values: ["65000:10:20"] }, action: "Reject" },
    ],
  }),
  "filter-as-path": judged({ importV4: [{ asPathPrefix: [65000, 65001], action: "Reject" }] }),
  "filter-priority": judged({
    importV4: [
      { ...POOL, matchOperator: "In", action: "Accept", operations: [{ setPriority: { value: 512 } }] },
    ],
    exportV4: [{ priority: 512, action: "Reject" }],
  }),
  "filter-priority-told": judged(
    {
      importV4: [{ peerType: "iBGP", priority: 512, action: "Accept" }],
      exportV4: [{ action: "Accept", operations: [{ setPriority: { value: 512 } }] }],
    },
    NODE,
  ),
  "filter-operations": judged({
    exportV4: [
      {
        ...POOL,
        matchOperator: "In",
        action: "Accept",
        operations: [
          { addCommunity: { value: "64512:7" } },
          { addCommunity: { value: "64512:7:8" } },
          { prependASPath: { prefix: [65000, 65001] } },
        ],
      },
    ],
  }),
  "filters-in-order": {
    ...ALONE,
    sessions: [{ ...TOR, filters: ["b.second", "a-first", "absent"] }],
    filters: [filter("b.second", { importV4: [{ action: "Accept" }] }), filter("a-first", {})],
  },
  "filter-of-nodes": judged({ importV4: [{ ...POOL, matchOperator: "In", action: "Reject" }] }, NODE),
  "dual-stack-mesh": {
    ...DUAL,
    peers: [HOST2, { name: "host2", address: parseIp("fd00::102"), asNumber: 64512 }],
  },
  "dual-stack-routers": {
    ...DUAL,
    sessions: [TOR, { ...TOR6, filters: ["v6"], reachableBy: parseIp("fd00::fe") }],
    filters: [
      filter("v6", {
        importV6: [
          { cidr: "2001:db8::/32", matchOperator: "In", prefixLength: { max: 48 }, action: "Accept" },
        ],
        exportV6: [{ action: "Reject" }],
      }),
    ],
    prefixAdvertisements: [{ cidr: parseCidr("fd00:1::/48"), communities: ["64512:6"] }],
  },
};
