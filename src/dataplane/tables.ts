// SPDX-License-Identifier: Apache-2.0
import { familyOf } from "../net/ip.ts";
import {
  type Delta,
  type DesiredDelta,
  KINDS,
  type Kind,
  WIREGUARD_DEVICE,
  type Wanted,
} from "../desired/wanted.ts";
import { AddressTable } from "./address.ts";
import { type ForwardingTable, createForwardingTable, seenForwardingKey } from "./forwarding.ts";
import { type ChecksumTable, createChecksumTable } from "./checksum.ts";
import { type Guard, createGuard } from "./guard.ts";
import { IpipPrograms } from "./ipip.ts";
import type { Kernel } from "./kernel.ts";
import { LinkTable, isTunnel } from "./link.ts";
import { type MtuTable, createMtuTable } from "./mtu.ts";
import { type Nat, createNat } from "./nat.ts";
import { type NeighbourTable, createNeighbourTable, seenNeighbourKey } from "./neighbour.ts";
import { type LinkAddress, listAddresses } from "./netlink/address.ts";
import { listForwardingEntries } from "./netlink/fdb.ts";
import { type Link, listLinks } from "./netlink/link.ts";
import { listNeighbours } from "./netlink/neighbour.ts";
import { listRoutes } from "./netlink/route.ts";
import type { RtEvent } from "./netlink/rtnetlink.ts";
import { listRules } from "./netlink/rule.ts";
import { PeerTable } from "./peer.ts";
import { RouteTable } from "./route.ts";
import { type RuleTable, createRuleTable, seenRuleKey } from "./rule.ts";
import { type SourceCheck, createSourceCheck } from "./source-check.ts";
import { type SysctlTable, createSysctlTable } from "./sysctl.ts";
import type { ReconcileTable } from "./table.ts";
import { type WireguardTable, createWireguardTable, forgetWireguard, listWireguard } from "./wireguard.ts";

/** Every kind of object that is reconciled, wanted and seen side by side. */
export interface Tables {
  readonly guard: Guard;
  readonly guard6: Guard;
  readonly source: SourceCheck;
  readonly nat: Nat;
  readonly link: LinkTable;
  readonly checksum: ChecksumTable;
  readonly mtu: MtuTable;
  readonly address: AddressTable;
  readonly sysctl: SysctlTable;
  readonly forwarding: ForwardingTable;
  readonly neighbour: NeighbourTable;
  readonly ipip: IpipPrograms;
  readonly wireguard: WireguardTable;
  readonly peer: PeerTable;
  readonly rule: RuleTable;
  readonly route: RouteTable;
}

/** What the tables have in common, whatever they hold. */
type AnyTable = Pick<
  ReconcileTable<unknown, unknown>,
  | "faults"
  | "blocked"
  | "nextRetryMs"
  | "isBusy"
  | "busyCount"
  | "failures"
  | "repairs"
  | "giveUp"
  | "wantedCount"
  | "pendingOn"
  | "markFaults"
  | "markInterface"
  | "wantedEntries"
>;

export function createTables(): Tables {
  return {
    guard: createGuard("guard"),
    guard6: createGuard("guard6"),
    source: createSourceCheck(),
    nat: createNat(),
    link: new LinkTable(),
    checksum: createChecksumTable(),
    mtu: createMtuTable(),
    address: new AddressTable(),
    sysctl: createSysctlTable(),
    forwarding: createForwardingTable(),
    neighbour: createNeighbourTable(),
    ipip: new IpipPrograms(),
    wireguard: createWireguardTable(),
    peer: new PeerTable(),
    rule: createRuleTable(),
    route: new RouteTable(),
  };
}

/** The part of each kind in which wanted and seen are compared. */
type Reconciled = { readonly [K in Kind]: AnyTable & { want(delta: Delta<Wanted[K]>): void } };

function reconciled({
  guard,
  guard6,
  source,
  nat,
  link,
  address,
  ipip,
  peer,
  route,
  ...plain
}: Tables): Reconciled {
  return {
    ...plain,
    guard: guard.table,
    guard6: guard6.table,
    source: source.table,
    nat: nat.table,
    link: link.table,
    address: address.table,
    ipip: ipip.table,
    peer: peer.table,
    route: route.table,
  };
}

/** The tables of nftables, each of which hears of changes by itself. */
export function rulesets({ guard, guard6, source, nat }: Tables): readonly (Guard | SourceCheck | Nat)[] {
  return [guard, guard6, source, nat];
}

export function tableOf(tables: Tables, kind: Kind): AnyTable {
  return reconciled(tables)[kind];
}

export function allTables(tables: Tables): readonly AnyTable[] {
  return Object.values(reconciled(tables));
}

export function noteWanted(tables: Tables, delta: DesiredDelta): void {
  const all = reconciled(tables);
  // A table takes the delta of its own kind, which the compiler cannot tell of two values with one name.
  for (const kind of KINDS) (all[kind] as { want(delta: Delta<unknown>): void }).want(delta[kind]);
}

/** Lists the kernel's objects anew. Links come first: the others are recognised by the interface they are on. */
export async function listSeen(tables: Tables, kernel: Kernel): Promise<void> {
  const { checksum, mtu, sysctl, ipip } = tables;
  // Listed when they are applied: whether they can be concerns nothing else.
  for (const ruleset of rulesets(tables)) ruleset.doubt();
  await listByRtnetlink(tables, kernel.rtnetlink);
  await ipip.list(kernel.rtnetlink);
  await listWireguard(tables, { ...kernel.wireguard, log: kernel.log });
  sysctl.markWanted();
  mtu.markWanted();
  checksum.reset(new Map());
}

/** As {@link listSeen}, of the kinds that rtnetlink alone tells of. */
export async function listByRtnetlink(
  { link: links, address, forwarding, neighbour, rule, route }: Tables,
  rtnetlink: Kernel["rtnetlink"],
): Promise<void> {
  links.reset(await rtnetlink.list(listLinks));
  address.reset(await rtnetlink.list(listAddresses), links);
  forwarding.reset(
    keyed(await rtnetlink.list(listForwardingEntries()), (entry) => seenForwardingKey(entry, links)),
  );
  neighbour.reset(keyed(await rtnetlink.list(listNeighbours), (entry) => seenNeighbourKey(entry, links)));
  rule.reset(keyed(await rtnetlink.list(listRules), seenRuleKey));
  route.reset(await rtnetlink.list(listRoutes), links);
}

/** The objects that have a key. */
function keyed<T>(objects: readonly T[], keyOf: (object: T) => string | undefined): ReadonlyMap<string, T> {
  const entries = objects.map((object) => [keyOf(object), object] as const);
  return new Map(entries.flatMap(([key, object]) => (key === undefined ? [] : [[key, object] as const])));
}

/** Takes in one event of the kernel. @returns "overrun" where more changed than events tell, and everything must be listed anew */
export function noteEvent(tables: Tables, event: RtEvent): "noted" | "overrun" {
  const { link: links, address, forwarding, neighbour, ipip, rule, route } = tables;
  const isNew = "change" in event && event.change === "new";
  switch (event.kind) {
    case "link":
      noteLink(tables, event.change, event.link);
      return "noted";
    case "route":
      if (isNew) route.see(event.route, links, event);
      else route.remove(event.route, links);
      return "noted";
    case "neighbour":
      noteKeyed(neighbour, seenNeighbourKey(event.neighbour, links), isNew ? event.neighbour : undefined);
      return "noted";
    case "address":
      if (isNew) address.see(event.address, links);
      else address.remove(event.address, links);
      ipip.noteAddresses();
      markFaults(tables);
      return !isNew && changesRoutes(event.address, links) ? "overrun" : "noted";
    case "fdb":
      noteKeyed(forwarding, seenForwardingKey(event.entry, links), isNew ? event.entry : undefined);
      return "noted";
    case "rule":
      noteKeyed(rule, seenRuleKey(event.rule), isNew ? event.rule : undefined);
      return "noted";
    case "filter":
      ipip.noteFilters(event.ifIndex);
      return "noted";
    case "overrun":
      return "overrun";
  }
}

/**
 * Whether routes change with the end of the address, without an event: with an interface's last IPv4 address its routes go (`fib_disable_ip()`, net/ipv4/fib_frontend.c), and
 * routes of IPv6 lose it as their source (`fib6_remove_prefsrc()`, net/ipv6/route.c), which those through a tunnel have.
 */
function changesRoutes({ ip, ifIndex }: LinkAddress, links: LinkTable): boolean {
  return familyOf(ip) === 4 || links.isTunnelIndex(ifIndex);
}

function noteKeyed<S>(
  table: { see(key: string, seen: S | undefined): void },
  key: string | undefined,
  seen: S | undefined,
): void {
  if (key !== undefined) table.see(key, seen);
}

/**
 * Whether the event, which is not noted yet, gives a tunnel device back what routes rest on. The kernel has dropped those of others too
 * (`fib_disable_ip()`, net/ipv4/fib_frontend.c), and told nobody.
 */
export function restoresTunnel({ link: links }: Tables, event: RtEvent): boolean {
  if (event.kind === "address") return event.change === "new" && links.isTunnelIndex(event.address.ifIndex);
  if (event.kind !== "link" || event.change === "deleted" || !event.link.up) return false;
  return isTunnel(event.link) && links.byIndex(event.link.index)?.up !== true;
}

function noteLink(tables: Tables, change: "new" | "deleted", link: Link): void {
  const { link: links, mtu, address, forwarding, neighbour, route } = tables;
  const before = links.byIndex(link.index);
  const isUp = change === "new" && link.up;
  if (!isUp) {
    route.forgetInterface(link.index);
    neighbour.forget((entry) => entry.ifIndex === link.index);
  }
  if (change === "deleted") {
    address.forgetInterface(link.index);
    forwarding.forget((entry) => entry.ifIndex === link.index);
    if (link.name === WIREGUARD_DEVICE) forgetWireguard(tables);
  }
  if (change === "deleted") links.remove(link);
  else links.see(link);
  if (before?.mtu !== link.mtu) mtu.markInterface(link.name);
  const isOldNews = isUp && before?.up === true && before.name === link.name;
  if (isOldNews) return;
  for (const table of allTables(tables)) table.markInterface(link.name);
  markFaults(tables);
}

function markFaults(tables: Tables): void {
  for (const table of allTables(tables)) table.markFaults();
}
