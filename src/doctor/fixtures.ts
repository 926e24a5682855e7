// SPDX-License-Identifier: Apache-2.0
// A node on which all is well, for tests to change one thing of.
import { type NodeStatus, nodeStatus } from "../agent/answers.ts";
import type { Session } from "../bird/sessions.ts";
import type { Link } from "../dataplane/netlink/link.ts";
import { NUD_PERMANENT, NUD_REACHABLE, type Neighbour } from "../dataplane/netlink/neighbour.ts";
import {
  type KernelRoute,
  RTPROT_BIRD,
  RTPROT_BOOT,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
} from "../dataplane/netlink/route.ts";
import { RTPROT_MARGAY } from "../dataplane/route.ts";
import { MAIN_TABLE } from "../desired/wanted.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIfName } from "../net/if-name.ts";
import { parseIp } from "../net/ip.ts";
import { parseMac } from "../net/mac.ts";
import type { KernelSeen } from "./observation.ts";

const CONTAINER_MAC = parseMac("0a:00:00:00:00:01");

export function link(index: number, name: string, rest: Partial<Link> = {}): Link {
  return { index, name: parseIfName(name), mtu: 1500, up: true, running: true, flags: 0, ...rest };
}

export function route(dst: string, rest: Partial<KernelRoute> = {}): KernelRoute {
  const common = { table: MAIN_TABLE, type: "unicast", scope: RT_SCOPE_UNIVERSE, onlink: false } as const;
  return { ...common, dst: parseCidr(dst), protocol: RTPROT_BIRD, metric: 32, ...rest };
}

const NODE_END = link(3, "cali0123456789a", { kind: "veth", mtu: 1450, peerIndex: 2, peerNetnsId: 0 });
const NEIGHBOURS: readonly Neighbour[] = [
  { ifIndex: 3, ip: parseIp("10.1.0.1"), family: 4, mac: CONTAINER_MAC, state: NUD_PERMANENT, flags: 0 },
  { ifIndex: 1, ip: parseIp("192.168.0.102"), family: 4, state: NUD_REACHABLE, flags: 0 },
];

export const KERNEL: KernelSeen = {
  links: [link(1, "eth0"), link(2, "vxlan.calico", { kind: "vxlan", mtu: 1450 }), NODE_END],
  addresses: [],
  routes: [
    route("0.0.0.0/0", { protocol: RTPROT_BOOT, metric: 0, gateway: parseIp("192.168.0.1"), ifIndex: 1 }),
    route("10.1.0.1/32", { protocol: RTPROT_MARGAY, metric: 0, scope: RT_SCOPE_LINK, ifIndex: 3 }),
    route("10.1.0.0/26", { protocol: RTPROT_MARGAY, metric: 1024, type: "blackhole" }),
    route("10.1.0.64/26", { gateway: parseIp("192.168.0.102"), ifIndex: 1 }),
  ],
  neighbours: NEIGHBOURS,
  sysctls: new Map([
    ["net/ipv4/ip_forward", "1"],
    ["net/ipv4/conf/all/rp_filter", "0"],
    ["net/ipv4/neigh/default/gc_thresh3", "1024"],
    ["net/netfilter/nf_conntrack_count", "7"],
    ["net/netfilter/nf_conntrack_max", "1000"],
    ["net/ipv4/conf/vxlan.calico/rp_filter", "2"],
    ["net/ipv4/conf/cali0123456789a/rp_filter", "1"],
    ["net/ipv4/conf/cali0123456789a/proxy_arp", "1"],
    ["net/ipv4/conf/cali0123456789a/forwarding", "1"],
  ]),
  containerEnds: new Map([
    [NODE_END.name, { link: link(2, "eth0", { mtu: 1450, mac: CONTAINER_MAC }), netnsPath: "/run/netns/a" }],
  ]),
  offloads: new Map([["vxlan.calico", true]]),
  wireguardPeers: undefined,
};

export const STATUS: NodeStatus = nodeStatus.parse({
  nodeName: "host1",
  version: "1.0.0",
  ready: true,
  reasons: [],
  degraded: [],
  ignored: [],
  address: { current: "192.168.0.101/24", reason: "as configured" },
  ipv6Address: null,
  routeSource: "bird",
  pools: [{ name: "pool", cidr: "10.1.0.0/16", ipipMode: "Never", vxlanMode: "CrossSubnet" }],
  mtu: { underlay: 1500, containers: 1450 },
  tunnels: [{ kind: "vxlan", address: "10.1.0.2", mtu: 1450, checksums: "offloaded" }],
  bird: null,
  peers: [{ what: 'node "host2"', address: "192.168.0.102" }],
  dataplane: { isSettled: true, wanted: {}, faults: [], blocked: [] },
  unroutable: [],
});

export const SESSION: Session = {
  name: "mesh_host2",
  peer: parseIp("192.168.0.102"),
  state: "Established",
  sinceMs: 0,
  imported: 1,
  exported: 1,
  peerRestarting: false,
  lastError: undefined,
  bfd: undefined,
};
