// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrAddress, cidrFamily, prefixLengthOf } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import { ipToBigInt } from "../net/ip.ts";
import { type Ipv4, ipv4ToNumber } from "../net/ipv4.ts";

/** Everything that one node's BIRD is to do. IPv6 prefixes are left out: there is no IPv6 channel yet. */
export interface BirdInput {
  readonly nodeName: string;
  /** Unique among all routers that hear of each other. */
  readonly routerId: Ipv4;
  /** The autonomous system of this node: 1 … 2^32-1. */
  readonly asNumber: number;
  /** The address that this node's sessions come from, and the next hop that it announces. */
  readonly nodeAddress: Ipv4;
  /** The TCP port of the whole mesh: this node listens on it and dials its peers on it. @default 179 */
  readonly listenPort?: number;
  /** The other nodes of the full mesh. */
  readonly peers: readonly BirdPeer[];
  /** What is announced: confirmed blocks of this node, and addresses it borrowed from blocks of others. */
  readonly originated: readonly Cidr[];
  /** Only prefixes inside these are announced or believed. */
  readonly poolCidrs: readonly Cidr[];
  /** Of those, the ones in which learnt routes go to the kernel. @default all of them */
  readonly kernelCidrs?: readonly Cidr[];
  /** Pools in which routes to some nodes lead into a tunnel device, or to nowhere. @default none */
  readonly tunnelled?: readonly TunnelledPool[];
  /** Whether learnt routes go to the kernel. Where not, BIRD takes back the ones it put there. */
  readonly programKernel: boolean;
  /** How long peers keep forwarding to this node while its BIRD is away, in seconds: 1 … 4095 (RFC 4724 section 3). */
  readonly gracefulRestartSeconds: number;
  /** Absolute path. BIRD itself limits the size, and keeps one older file with `.1` behind the name. */
  readonly logFile: string;
}

export interface TunnelledPool {
  readonly cidr: Cidr;
  readonly ifName: IfName;
  /** Next hops that are reached through the device: it carries a packet to the very address. */
  readonly through: readonly Ipv4[];
  /** Next hops that no route goes to the kernel for. */
  readonly without: readonly Ipv4[];
}

export interface BirdPeer {
  readonly name: string;
  readonly address: Ipv4;
  readonly asNumber: number;
}

const LOG_BYTES = 4 * 1024 * 1024;

/**
 * For how many seconds a restarted BIRD waits for its peers before it drops what they no longer announce. Living
 * peers are back in two; one dead peer delays every announcement, in and out, by the whole time.
 */
const RECOVERY_SECONDS = 15;

/** Renders the configuration for BIRD 2.0.12 and later; throws `RangeError` or `SyntaxError` where a value cannot be one. */
export function renderBirdConfig(input: BirdInput): string {
  const sections = [
    renderGlobal(input),
    renderPools(input),
    renderInterfaces(),
    renderOwn(input),
    renderKernel(input),
    ...(input.peers.length > 0 ? [renderMesh(input)] : []),
    ...sortPeers(input).map((peer) => renderPeer(peer, input)),
  ];
  return sections.map((section) => `${section.trim()}\n`).join("\n");
}

/** The name of a peer's protocol; from the address, since a node's name is no BIRD symbol. */
export function meshProtocolName(address: Ipv4): string {
  return `mesh_${address.replaceAll(".", "_")}`;
}

function renderGlobal({ nodeName, routerId, gracefulRestartSeconds, logFile }: BirdInput): string {
  checkRange("graceful restart time", gracefulRestartSeconds, 4095);
  return `
# Written by Margay; changes made here are lost.
log ${quote(logFile)} ${LOG_BYTES} ${quote(`${logFile}.1`)} all;
hostname ${quote(nodeName)};
router id ${routerId};
timeformat protocol iso long ms;
graceful restart wait ${RECOVERY_SECONDS};

# Margay hears of sessions that come and go by these lines, on its control connection.
debug protocols { states };
`;
}

function renderPools({ poolCidrs, originated }: BirdInput): string {
  return `
function in_pools() {
  return ${renderMatch(sortCidrs(poolCidrs).map((cidr) => `${cidr}+`))};
}

# Exactly these: another node may borrow an address out of a block of this one, and then announces it.
function is_own() {
  return ${renderMatch(sortCidrs(originated))};
}
`;
}

function renderMatch(patterns: readonly string[]): string {
  // BIRD knows no empty set.
  if (patterns.length === 0) return "false";
  return `net ~ [\n    ${patterns.join(",\n    ")}\n  ]`;
}

/** Next hops are looked up among the prefixes of the node's links; none is behind a container's. */
function renderInterfaces(): string {
  return `
# Netlink tells of links and addresses at once; the scan is for what it lost.
protocol device {
  scan time 60;
}

protocol direct {
  ipv4;
  interface -"cali*", "*";
}
`;
}

function renderOwn({ originated }: BirdInput): string {
  const routes = sortCidrs(originated).map((cidr) => `  route ${cidr} blackhole;\n`);
  return `
# To be announced only: the kernel gets its blackhole routes from Margay, whatever the source of routes.
protocol static own {
  ipv4;
${routes.join("")}}
`;
}

function renderKernel(input: BirdInput): string {
  const toKernel = renderToKernel(input);
  return `${toKernel.filter}
# The scan puts back what others removed. It reads the whole table, so it is rare: what BIRD learns goes to the kernel at once.
protocol kernel {
  scan time 60;
  persist;
  graceful restart;
  merge paths;
  ipv4 {
    import none;
    export ${toKernel.name};
  };
}
`;
}

/** What goes to the kernel, and how: a filter only where routes need one. */
function renderToKernel({ programKernel, poolCidrs, kernelCidrs = poolCidrs, tunnelled = [] }: BirdInput): {
  filter: string;
  name: string;
} {
  if (!programKernel) return { filter: "", name: "none" };
  const pools = tunnelled.filter(({ through, without }) => through.length + without.length > 0);
  const learnt = `source = RTS_BGP && ${renderKernelMatch(poolCidrs, kernelCidrs)}`;
  if (pools.length === 0) return { filter: "", name: `where ${learnt}` };
  const filter = `
filter to_kernel {
  if !(${learnt}) then reject;
${pools
  .toSorted((a, b) => positionOf(a.cidr) - positionOf(b.cidr))
  .map(renderTunnelledPool)
  .join("")}  accept;
}
`;
  return { filter, name: "filter to_kernel" };
}

/** All pools, as a rule. */
function renderKernelMatch(poolCidrs: readonly Cidr[], kernelCidrs: readonly Cidr[]): string {
  const [all, some] = [sortCidrs(poolCidrs), sortCidrs(kernelCidrs)];
  if (String(all) === String(some)) return "in_pools()";
  return some.length === 0 ? "false" : `net ~ [ ${some.map((cidr) => `${cidr}+`).join(", ")} ]`;
}

function renderTunnelledPool({ cidr, ifName, through, without }: TunnelledPool): string {
  // In this order: the gateway is looked for on the interface, and taken for granted there.
  const enter = `{ onlink = true; ifname = ${quote(ifName)}; gw = bgp_next_hop; accept; }`;
  const when = (nextHops: readonly Ipv4[], action: string): string =>
    nextHops.length === 0
      ? ""
      : `    if bgp_next_hop ~ [ ${sortAddresses(nextHops).join(", ")} ] then ${action}\n`;
  return `  if net ~ [ ${cidr}+ ] then {\n${when(through, enter)}${when(without, "reject;")}  }\n`;
}

function sortAddresses(addresses: readonly Ipv4[]): readonly Ipv4[] {
  return addresses.toSorted((a, b) => ipv4ToNumber(a) - ipv4ToNumber(b));
}

function renderMesh(input: BirdInput): string {
  checkRange("AS number", input.asNumber, 0xffffffff);
  return `
template bgp mesh {
  local ${input.nodeAddress}${renderPort(input)} as ${input.asNumber};
  # Nodes of different autonomous systems need not be neighbours on a link either.
  multihop;
  hold time 90;
  keepalive time 30;
  connect delay time 1;
  connect retry time 5;
  error wait time 5, 30;
  graceful restart;
  graceful restart time ${input.gracefulRestartSeconds};
  ipv4 {
    next hop self;
    import where in_pools() && !is_own();
    export where proto = "own" && in_pools();
  };
}
`;
}

function renderPeer(peer: BirdPeer, input: BirdInput): string {
  checkRange("AS number", peer.asNumber, 0xffffffff);
  // Only the side with the smaller address dials, so two connections never meet.
  const isDialled = ipv4ToNumber(peer.address) > ipv4ToNumber(input.nodeAddress);
  return `
protocol bgp ${meshProtocolName(peer.address)} from mesh {
  description ${quote(peer.name)};
  neighbor ${peer.address}${renderPort(input)} as ${peer.asNumber};
${isDialled ? "  passive;\n" : ""}}
`;
}

function renderPort({ listenPort = 179 }: BirdInput): string {
  checkRange("port", listenPort, 0xffff);
  return listenPort === 179 ? "" : ` port ${listenPort}`;
}

function sortPeers({ peers, nodeAddress }: BirdInput): readonly BirdPeer[] {
  const seen = new Set([nodeAddress]);
  for (const { name, address } of peers) {
    if (seen.has(address))
      throw new RangeError(`Cannot peer with "${name}": its address "${address}" is another node's`);
    seen.add(address);
  }
  return peers.toSorted((a, b) => ipv4ToNumber(a.address) - ipv4ToNumber(b.address));
}

/** The IPv4 ones, each once, by address and then by length. */
function sortCidrs(cidrs: readonly Cidr[]): readonly Cidr[] {
  return [...new Set(cidrs)]
    .filter((cidr) => cidrFamily(cidr) === 4)
    .sort((a, b) => positionOf(a) - positionOf(b) || prefixLengthOf(a) - prefixLengthOf(b));
}

function positionOf(cidr: Cidr): number {
  return Number(ipToBigInt(cidrAddress(cidr)));
}

/** A string of BIRD, which knows no escapes: what would need one is refused. */
export function quote(text: string): string {
  if (!/^[A-Za-z0-9 ._:@/+-]+$/.test(text))
    throw new SyntaxError(
      `Cannot write ${JSON.stringify(text)} for BIRD: want letters, digits, spaces and . _ : @ / + -`,
    );
  return `"${text}"`;
}

function checkRange(what: string, value: number, last: number): void {
  if (!Number.isInteger(value) || value < 1 || value > last)
    throw new RangeError(`Cannot use ${what} ${value}: want 1 to ${last}`);
}
