// SPDX-License-Identifier: Apache-2.0
import { isNodeEnd, isTunnel } from "../../dataplane/link.ts";
import type { Link } from "../../dataplane/netlink/link.ts";
import { NUD_PERMANENT } from "../../dataplane/netlink/neighbour.ts";
import type { NodeStatus } from "../../agent/answers.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { KernelSeen } from "../observation.ts";

/** Shares of a table at which it is said to be filling, and to be full. */
const FILLING = 0.8;
const FULL = 0.95;

const SWITCHED_ON_BY_AGENT =
  "switch it on; the agent does so within a minute, so look in /etc/sysctl.d and at other programs for what switches it off";

/** The kernel's settings that containers' packets depend on; `ip-sysctl.rst` of its documentation explains each. */
export function judgeSysctls(kernel: KernelSeen, status: NodeStatus | undefined): readonly Check[] {
  return [
    judgeSwitch(kernel, "forwarding", "net/ipv4/ip_forward", "the node forwards no IPv4 packet"),
    ...(status?.pools.some(({ cidr }) => cidr.includes(":")) === true
      ? [
          judgeSwitch(
            kernel,
            "forwarding",
            "net/ipv6/conf/all/forwarding",
            "the node forwards no IPv6 packet",
          ),
        ]
      : []),
    ...judgeReversePaths(kernel),
    // What is set for the node is set for every interface.
    ...(kernel.sysctls.get("net/ipv4/ip_forward") === "0"
      ? []
      : judgeNodeEnds(
          kernel,
          "forwarding",
          "forwarding",
          "the node forwards nothing that this container sends",
        )),
    ...judgeNodeEnds(
      kernel,
      "proxy ARP",
      "proxy_arp",
      "it is off: a container that has lost its neighbour entry of 169.254.1.1 sends nothing any more",
    ),
    judgeNeighbourRoom(kernel),
    judgeConntrack(kernel),
  ];
}

/** What has to be read for {@link judgeSysctls}. */
export function sysctlsOf(links: KernelSeen["links"]): readonly (readonly string[])[] {
  const ends = links.filter(isNodeEnd);
  const conf = (name: string, setting: string): readonly string[] => ["net", "ipv4", "conf", name, setting];
  return [
    ["net", "ipv4", "ip_forward"],
    ["net", "ipv6", "conf", "all", "forwarding"],
    ["net", "ipv4", "conf", "all", "rp_filter"],
    ["net", "ipv4", "neigh", "default", "gc_thresh3"],
    ["net", "netfilter", "nf_conntrack_count"],
    ["net", "netfilter", "nf_conntrack_max"],
    ...links.map(({ name }) => conf(name, "rp_filter")),
    ...ends.flatMap(({ name }) => [conf(name, "proxy_arp"), conf(name, "forwarding")]),
  ];
}

function judgeSwitch({ sysctls }: KernelSeen, name: string, key: string, without: string): Check {
  const checked = subject(name, key);
  const value = sysctls.get(key);
  if (value === undefined) return checked.skipped("the kernel has no such setting");
  if (value !== "0") return checked.ok(value);
  return checked.fault(without, SWITCHED_ON_BY_AGENT, sysctlCommand(key, "1"));
}

/** The larger of an interface's own value and that of all counts: 0 is off, 1 strict, 2 loose (RFC 3704). */
function judgeReversePaths(kernel: KernelSeen): readonly Check[] {
  const { links, sysctls } = kernel;
  const all = Number(sysctls.get(rpFilter("all")) ?? 0);
  const uplinks = uplinksOf(kernel);
  const amiss = links.flatMap((link): readonly Check[] => {
    const own = sysctls.get(rpFilter(link.name));
    return own === undefined ? [] : judgeReversePath(link, Math.max(all, Number(own)), { all, uplinks });
  });
  return orWell(
    [
      ...(all > 1 ? [subject("reverse path", rpFilter("all")).warning(UNCHECKED, ...setTo("all", 0))] : []),
      ...amiss,
    ],
    subject("reverse path", rpFilter("*")).ok("strict for containers, loose for tunnels"),
  );
}

const UNCHECKED =
  "only Margay's own table of nftables keeps containers from sending from addresses that are not theirs: the kernel does not check the way back";

function judgeReversePath(
  link: Link,
  value: number,
  { all, uplinks }: { readonly all: number; readonly uplinks: ReadonlySet<number> },
): readonly Check[] {
  const checked = subject("reverse path", rpFilter(link.name));
  // What is set for all is said once.
  if (isNodeEnd(link))
    return !link.up || value === 1 || all > 1 ? [] : [checked.warning(UNCHECKED, ...setTo(link.name, 1))];
  if (value !== 1) return [];
  const strict = "it is strict: packets are dropped whose answers would take another way";
  if (isTunnel(link))
    return [checked.warning(`${strict}, as while a pool's mode changes`, ...setTo(link.name, 2))];
  if (uplinks.size < 2 || !uplinks.has(link.index)) return [];
  return [checked.warning(`${strict}, and this node has several uplinks`, ...setTo(link.name, 2))];
}

function setTo(name: string, value: number): [advice: string, command: string] {
  return [`set it to ${value}, and for good in /etc/sysctl.d`, sysctlCommand(rpFilter(name), String(value))];
}

function rpFilter(name: string): string {
  return `net/ipv4/conf/${name}/rp_filter`;
}

/** The interfaces that lead to gateways, but for tunnels. */
function uplinksOf({ links, routes }: KernelSeen): ReadonlySet<number> {
  const tunnels = new Set(links.filter(isTunnel).map(({ index }) => index));
  const ways = routes.flatMap(({ gateway, ifIndex }) => (gateway === undefined ? [] : (ifIndex ?? [])));
  return new Set(ways.filter((index) => !tunnels.has(index)));
}

/** Settings that every node end has switched on. */
function judgeNodeEnds(
  { links, sysctls }: KernelSeen,
  name: string,
  setting: string,
  without: string,
): readonly Check[] {
  const ends = links.filter((link) => isNodeEnd(link) && link.up);
  const amiss = ends
    .map((end) => `net/ipv4/conf/${end.name}/${setting}`)
    .filter((key) => sysctls.get(key) === "0")
    .map((key) => subject(name, key).fault(without, SWITCHED_ON_BY_AGENT, sysctlCommand(key, "1")));
  return orWell(amiss, subject(name, `net/ipv4/conf/cali*/${setting}`).ok("on"));
}

/** Permanent entries, as containers have them, do not count. */
function judgeNeighbourRoom({ neighbours, sysctls }: KernelSeen): Check {
  const key = "net/ipv4/neigh/default/gc_thresh3";
  const checked = subject("neighbour table", key);
  const room = sysctls.get(key);
  if (room === undefined) return checked.skipped("only the machine's own network namespace shows it");
  const used = neighbours.filter(({ state, family }) => family === 4 && (state & NUD_PERMANENT) === 0).length;
  if (used < Number(room) * FILLING) return checked.ok(`${used} of ${room} entries`);
  const advice = "give it room, and for good in /etc/sysctl.d";
  const command = sysctlCommand(key, String(Math.max(8192, 4 * Number(room))));
  const reason = `${used} of ${room} entries are taken; when it is full, nodes and others on the network cannot be reached`;
  return used < Number(room) * FULL
    ? checked.warning(reason, advice, command)
    : checked.fault(reason, advice, command);
}

function judgeConntrack({ sysctls }: KernelSeen): Check {
  const checked = subject("conntrack", "net/netfilter/nf_conntrack_count");
  const [count, most] = ["count", "max"].map((name) => sysctls.get(`net/netfilter/nf_conntrack_${name}`));
  if (count === undefined || most === undefined) return checked.ok("connections are not tracked here");
  const share = Number(count) / Number(most);
  if (!(share >= FILLING)) return checked.ok(`${count} of ${most} connections`);
  const reason = `${count} of ${most} connections are tracked; new ones are dropped when it is full`;
  const advice = "let it track more, and for good in /etc/sysctl.d";
  const command = sysctlCommand("net/netfilter/nf_conntrack_max", String(2 * Number(most)));
  return share < FULL ? checked.warning(reason, advice, command) : checked.fault(reason, advice, command);
}

/** With slashes an interface's name may hold dots (sysctl(8)). */
function sysctlCommand(key: string, value: string): string {
  return `sysctl -w ${key}=${value}`;
}
