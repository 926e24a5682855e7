// SPDX-License-Identifier: Apache-2.0
import {
  type DesiredDelta,
  IPIP_PROGRAMS_KEY,
  type Kind,
  WIREGUARD_DEVICE,
  type WantedSysctl,
  forEveryKind,
  wireguardKey,
} from "../desired/wanted.ts";
import { describeError } from "../system/log.ts";
import type { ItemDifference } from "./compare-items.ts";
import type { Kernel } from "./kernel.ts";
import { type LinkTable, missing } from "./link.ts";
import type { Plan } from "./plan.ts";
import { plannersOf } from "./planners.ts";
import type { SysctlFiles } from "./sysctl.ts";
import type { ReconcileTable } from "./table.ts";
import { type Tables, createTables, listByRtnetlink, noteWanted, tableOf } from "./tables.ts";
import { planWireguard, readWireguard } from "./wireguard.ts";

/** The kinds that are looked at: all but what ethtool switches, of which is only known what was switched here. */
export type ComparedKind = Exclude<Kind, "checksum">;

/** An object that is not as it should be; `foreign` is what bears our mark. */
export interface Difference extends ItemDifference {
  readonly kind: ComparedKind;
}

/** A kind that could not be looked at, and why. */
export interface Unseen {
  readonly kind: ComparedKind;
  readonly reason: string;
}

export interface Differences {
  readonly differences: readonly Difference[];
  readonly unseen: readonly Unseen[];
}

type Compared = Pick<Kernel, "rtnetlink" | "sysctls" | "nft" | "wireguard" | "clock">;

/**
 * Lists the kernel afresh and plans, as a dataplane would that begins now; changes nothing. What is under way is a difference too: look twice, and go by
 * {@link differencesOfBoth}. Rejects with `KernelError`.
 */
export async function listDifferences(live: Tables, kernel: Compared): Promise<Differences> {
  const tables = createTables();
  noteWanted(tables, wantedOf(live));
  await listByRtnetlink(tables, kernel.rtnetlink);
  // What rtnetlink does not tell of may be beyond reach where all else is not.
  const more = [
    ...(await rulesetDifferences(live, kernel)),
    await look("ipip", () => ipipDifferences(live, tables, kernel)),
    await look("wireguard", () => wireguardDifferences(tables, kernel)),
  ];
  return {
    differences: [
      ...rtnetlinkDifferences(live, tables, kernel),
      ...more.flatMap(({ differences }) => differences),
    ],
    unseen: more.flatMap(({ unseen }) => unseen),
  };
}

/** What both have. */
export function differencesOfBoth(first: Differences, second: Differences): Differences {
  const identity = ({ kind, key, state }: Difference): string => `${kind} ${state} ${key}`;
  const known = new Set(first.differences.map(identity));
  const differences = second.differences.filter((difference) => known.has(identity(difference)));
  return { ...second, differences };
}

async function look(kind: ComparedKind, find: () => Promise<readonly Difference[]>): Promise<Differences> {
  try {
    return { differences: await find(), unseen: [] };
  } catch (error) {
    return { differences: [], unseen: [{ kind, reason: describeError(error) }] };
  }
}

/** One process of nft's after the other. */
async function rulesetDifferences(live: Tables, { nft }: Compared): Promise<readonly Differences[]> {
  const found: Differences[] = [];
  for (const kind of ["guard", "guard6", "source", "nat"] as const)
    found.push(await look(kind, async () => ofKind(kind, await live[kind].differences(nft))));
  return found;
}

/** Which programs are right, only the live table knows. */
async function ipipDifferences(
  live: Tables,
  { address }: Tables,
  { rtnetlink }: Compared,
): Promise<readonly Difference[]> {
  const programs = live.ipip.table.wanted(IPIP_PROGRAMS_KEY);
  const place = programs?.kind === "programs" ? address.holderOf(programs.nodeAddress) : undefined;
  return ofKind("ipip", await live.ipip.differences(rtnetlink, place));
}

async function wireguardDifferences(
  tables: Tables,
  { wireguard: { driver }, clock }: Compared,
): Promise<readonly Difference[]> {
  await readWireguard(tables, driver);
  const { wireguard, peer, link: links } = tables;
  const own = wireguard.wanted(wireguardKey(WIREGUARD_DEVICE))?.publicKey;
  const nowMs = clock.now();
  return [
    ...planned("wireguard", wireguard, (key) => planWireguard(key, wireguard, links)),
    ...planned("peer", peer.table, (key) => peer.plan(key, { links, own, nowMs })),
  ];
}

function rtnetlinkDifferences(live: Tables, tables: Tables, { sysctls }: Compared): readonly Difference[] {
  const { link: links, mtu, address, sysctl, forwarding, neighbour, rule, route } = tables;
  const { standIns } = live.route;
  const plan = plannersOf(tables);
  return [
    ...planned("link", links.table, plan.link),
    ...planned("mtu", mtu, plan.mtu),
    ...Array.from(sysctl.wantedEntries()).flatMap((entry) => sysctlDifferences(entry, links, sysctls)),
    ...planned("address", address.table, plan.address),
    ...planned("forwarding", forwarding, plan.forwarding),
    ...planned("neighbour", neighbour, plan.neighbour),
    ...planned("rule", rule, plan.rule),
    // Stand-ins come and go with BIRD's sessions, which only the live table knows of.
    ...planned("route", route.table, plan.route).filter(
      ({ key }) => !standIns.isHeld(key) && !standIns.isOver(key),
    ),
  ];
}

function ofKind(kind: ComparedKind, items: readonly ItemDifference[]): readonly Difference[] {
  return items.map((item) => ({ kind, ...item }));
}

function wantedOf(tables: Tables): DesiredDelta {
  const wanted = forEveryKind((kind) => new Map(tableOf(tables, kind).wantedEntries()));
  // Each kind's table gives values of that kind, which the compiler cannot tell of two values with one name.
  return { ...(wanted as unknown as DesiredDelta), bird: false, withdrawn: [] };
}

function sysctlDifferences(
  [key, { path, value, ifName }]: readonly [string, WantedSysctl],
  links: LinkTable,
  files: SysctlFiles,
): readonly Difference[] {
  const current = files.read(path);
  if (current === value) return [];
  if (current === undefined) {
    const isLinkMissing = ifName !== undefined && links.byName(ifName) === undefined;
    const what = isLinkMissing ? missing(ifName) : "the kernel has no such setting";
    return [{ kind: "sysctl", key, state: "waiting", what }];
  }
  return [{ kind: "sysctl", key, state: "wrong", what: `it is ${current}, and is to be ${value}` }];
}

function planned<W, S, R extends { readonly description: string }>(
  kind: Difference["kind"],
  table: ReconcileTable<W, S>,
  plan: (key: string) => Plan<S, R>,
): readonly Difference[] {
  return table.takeDirty(0).flatMap((key): readonly Difference[] => {
    const next = plan(key);
    switch (next.kind) {
      case "done":
      case "later":
        return [];
      case "blocked":
        return [{ kind, key, state: "waiting", what: next.reason }];
      case "create":
      case "change":
      case "remove": {
        const state =
          next.kind === "remove" ? "foreign" : table.seen(key) === undefined ? "missing" : "wrong";
        return [{ kind, key, state, what: next.requests.map(({ description }) => description).join("; ") }];
      }
    }
  });
}
