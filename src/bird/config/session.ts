// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, familyOf } from "../../net/ip.ts";
import { type Direction, callFilter } from "./filter.ts";
import type { BirdInput, BirdPeer, BirdSession } from "./input.ts";
import { hasCommunities } from "./table.ts";
import { addressSymbol, checkRange, compare, quote, quotePassword, suffix } from "./text.ts";

/** The name of a peer's protocol; from the address, since a node's name is no BIRD symbol. */
export function meshProtocolName(address: Ip): string {
  return `mesh_${addressSymbol(address)}`;
}

/** Likewise of a session beside the mesh. */
export function sessionProtocolName(address: Ip): string {
  return `peer_${addressSymbol(address)}`;
}

/** The name of what all sessions of the mesh have in common. */
export function meshTemplateName(family: Family): string {
  return `mesh${suffix(family)}`;
}

/** What all sessions of the mesh have in common; none of a family without peers. */
export function renderMesh(input: BirdInput, family: Family): string {
  const own = ownAddress(input, family);
  if (own === undefined || !input.peers.some(({ address }) => familyOf(address) === family)) return "";
  checkRange("AS number", input.asNumber, 0xffffffff);
  const s = suffix(family);
  return `
template bgp ${meshTemplateName(family)} {
  local ${own}${renderPort(input.listenPort)} as ${input.asNumber};
  # Nodes of different autonomous systems need not be neighbours on a link either.
  multihop;
  hold time 90;
  keepalive time 30;
${TIMERS}  graceful restart;
  graceful restart time ${input.gracefulRestartSeconds};
${renderCommon(input, input.meshPassword)}  ipv${family} {
    next hop self;
    import where in_pools${s}() && !is_own${s}();
    export ${renderMeshExport(input, family)};
  };
}
`;
}

const TIMERS = `  connect delay time 1;
  connect retry time 5;
  error wait time 5, 30;
`;

function renderMeshExport(input: BirdInput, family: Family): string {
  const s = suffix(family);
  const own = `proto = "own${s}" && in_pools${s}()`;
  if (!hasCommunities(input, family)) return `where ${own}`;
  return `filter {
      if !(${own}) then reject;
      add_communities${s}();
      accept;
    }`;
}

export function renderPeer(peer: BirdPeer, input: BirdInput): string {
  checkRange("AS number", peer.asNumber, 0xffffffff);
  const family = familyOf(peer.address);
  const own = ownAddress(input, family);
  if (own === undefined)
    throw new RangeError(`Cannot peer with "${peer.name}": the node has no IPv${family} address`);
  // Only the side with the larger address dials, so two connections never meet.
  const isDialled = compare(peer.address, own) > 0;
  return `
protocol bgp ${meshProtocolName(peer.address)} from ${meshTemplateName(family)} {
  description ${quote(peer.name)};
  neighbor ${peer.address}${renderPort(input.listenPort)} as ${peer.asNumber};
${isDialled ? "  passive;\n" : ""}}
`;
}

export function renderSession(session: BirdSession, input: BirdInput): string {
  const family = familyOf(session.address);
  const own = ownAddress(input, family);
  if (own === undefined)
    throw new RangeError(`Cannot peer with "${session.name}": the node has no IPv${family} address`);
  for (const asNumber of [session.asNumber, session.localAsNumber])
    checkRange("AS number", asNumber, 0xffffffff);
  const { node } = session;
  const description = node === undefined ? session.name : `${session.name}: ${node}`;
  return `
protocol bgp ${sessionProtocolName(session.address)} {
  description ${quote(description)};
  local${needsAddress(session, input) ? ` ${own}` : ""}${renderPort(input.listenPort)} as ${session.localAsNumber};
  neighbor ${session.address}${renderPort(session.port)} as ${session.asNumber};
${session.isPassive ? "  passive;\n" : ""}${renderHops(session)}${renderTimes(session, input)}${renderReflection(session)}${renderCommon(input, session.password)}${renderBfd(session)}  ipv${family} {
${NEXT_HOP[session.nextHop]}    gateway recursive;
    import filter {
${renderImport(session, family, input)}    };
    export filter {
${renderExport(session, family, input)}    };
  };
}
`;
}

/** BIRD wants one for a socket of its own, and for BFD over more than one hop. */
function needsAddress(
  { bindsAddress, bfd, isDirect }: BirdSession,
  { bindsNodeAddress }: BirdInput,
): boolean {
  return bindsAddress || bindsNodeAddress === true || (bfd !== undefined && !isDirect);
}

/** BIRD's own choice: an address of the link where the peer can use it, else this node's, and what it was for an internal peer. */
const NEXT_HOP: Readonly<Record<BirdSession["nextHop"], string>> = {
  Auto: "",
  Self: "    next hop self;\n",
  Keep: "    next hop keep;\n",
};

function renderHops({ isDirect, ttlSecurity }: BirdSession): string {
  if (ttlSecurity === undefined) return isDirect ? "  direct;\n" : "  multihop;\n";
  checkRange("number of hops", ttlSecurity, 255);
  return `${isDirect && ttlSecurity === 1 ? "  direct;\n" : `  multihop ${ttlSecurity};\n`}  ttl security on;\n`;
}

function renderTimes({ keepaliveSeconds = 30, restartSeconds }: BirdSession, input: BirdInput): string {
  const restart = restartSeconds ?? input.gracefulRestartSeconds;
  checkRange("keepalive time", keepaliveSeconds, 21_845);
  checkRange("graceful restart time", restart, 4095);
  return `  hold time ${Math.max(3, 3 * keepaliveSeconds)};
  keepalive time ${keepaliveSeconds};
${TIMERS}  graceful restart;
  graceful restart time ${restart};
${NO_LONG_RESTART}`;
}

/**
 * To BIRD, a peer that offers a long-lived graceful restart (RFC 9494; FRR does unasked) restarts whatever ends the session: one that is silent for the
 * hold time keeps its routes for the restart time more, and packets go there though another router is alive.
 */
const NO_LONG_RESTART = "  long lived graceful restart off;\n";

function renderReflection({ clusterId, allowedLocalAs = 0 }: BirdSession): string {
  checkRange("number of local AS numbers", allowedLocalAs, 255, 0);
  const client = clusterId === undefined ? "" : `  rr client;\n  rr cluster id ${clusterId};\n`;
  return client + (allowedLocalAs === 0 ? "" : `  allow local as ${allowedLocalAs};\n`);
}

function renderCommon({ bindsNodeAddress = false }: BirdInput, password: string | undefined): string {
  const secret = password === undefined ? "" : `  password ${quotePassword(password)};\n`;
  return secret + (bindsNodeAddress ? "  strict bind yes;\n" : "");
}

function renderBfd({ bfd }: BirdSession): string {
  if (bfd === undefined) return "";
  return `  bfd {
    min rx interval ${bfd.minReceiveInterval} ms;
    min tx interval ${bfd.minTransmitInterval} ms;
    multiplier ${bfd.multiplier};
  };
`;
}

/** Routers outside the cluster are believed in everything that filters do not reject, as in Calico; only what this node has is its own. */
function renderImport(session: BirdSession, family: Family, input: BirdInput): string {
  const s = suffix(family);
  const strangers = session.node === undefined ? "" : `      if !in_pools${s}() then reject;\n`;
  return `      if is_own${s}() then reject;\n${strangers}${calls(session, "import", family, input)}      accept;\n`;
}

/** What this node has; and, where it passes routes on, what others in the cluster have: never what came from outside. */
function renderExport(session: BirdSession, family: Family, input: BirdInput): string {
  const s = suffix(family);
  const passesOn = session.node === undefined || session.passesOn;
  const communities = hasCommunities(input, family) ? `      add_communities${s}();\n` : "";
  const others = passesOn ? "      if source = RTS_BGP then accept;\n" : "";
  return `${communities}${calls(session, "export", family, input)}      if !in_pools${s}() then reject;
      if proto = "own${s}" then accept;
${others}      reject;
`;
}

function calls(
  session: BirdSession,
  direction: Direction,
  family: Family,
  { filters = [] }: BirdInput,
): string {
  const known = new Set(filters.map(({ name }) => name));
  const isInternal = session.asNumber === session.localAsNumber;
  return session.filters
    .filter((name) => known.has(name))
    .map((name) => `      ${callFilter(name, direction, family, { isInternal })}\n`)
    .join("");
}

function ownAddress({ nodeAddress, nodeAddress6 }: BirdInput, family: Family): Ip | undefined {
  return family === 4 ? nodeAddress : nodeAddress6;
}

function renderPort(port = 179): string {
  checkRange("port", port, 0xffff);
  return port === 179 ? "" : ` port ${port}`;
}
