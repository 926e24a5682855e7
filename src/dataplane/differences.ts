// SPDX-License-Identifier: Apache-2.0
import { type DesiredDelta, type Kind, type WantedSysctl, forEveryKind } from "../desired/wanted.ts";
import type { Kernel } from "./kernel.ts";
import { type LinkTable, missing } from "./link.ts";
import type { Plan } from "./plan.ts";
import { plannersOf } from "./planners.ts";
import type { SysctlFiles } from "./sysctl.ts";
import type { ReconcileTable } from "./table.ts";
import { type Tables, createTables, listByRtnetlink, noteWanted, tableOf } from "./tables.ts";

/** The kinds that are looked at. What nftables, BPF, ethtool and WireGuard have is only known as it is applied, and then status tells. */
export const COMPARED_KINDS = [
  "link",
  "mtu",
  "sysctl",
  "address",
  "forwarding",
  "neighbour",
  "rule",
  "route",
] as const satisfies readonly Kind[];

/** An object that is not as it should be. */
export interface Difference {
  readonly kind: (typeof COMPARED_KINDS)[number];
  readonly key: string;
  /**
   * - `missing`, `wrong`: it is to be made, or changed
   * - `foreign`: it bears our mark, and nothing wants it
   * - `waiting`: something else has to come first
   */
  readonly state: "missing" | "wrong" | "foreign" | "waiting";
  /** What is waited for, or what is to be done about it, in words. */
  readonly what: string;
}

/**
 * Lists the kernel afresh and plans, as a dataplane would that begins now; changes nothing. What is under way is a difference too: look twice, and go by
 * {@link differencesOfBoth}. Rejects with `KernelError`.
 */
export async function listDifferences(
  live: Tables,
  kernel: Pick<Kernel, "rtnetlink" | "sysctls">,
): Promise<readonly Difference[]> {
  const tables = createTables();
  noteWanted(tables, wantedOf(live));
  await listByRtnetlink(tables, kernel.rtnetlink);
  const { link: links, mtu, address, sysctl, forwarding, neighbour, rule, route } = tables;
  const { standIns } = live.route;
  const plan = plannersOf(tables);
  return [
    ...planned("link", links.table, plan.link),
    ...planned("mtu", mtu, plan.mtu),
    ...Array.from(sysctl.wantedEntries()).flatMap((entry) => sysctlDifferences(entry, links, kernel.sysctls)),
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

/** What both have. */
export function differencesOfBoth(
  first: readonly Difference[],
  second: readonly Difference[],
): readonly Difference[] {
  const known = new Set(first.map(({ kind, key, state }) => `${kind} ${state} ${key}`));
  return second.filter(({ kind, key, state }) => known.has(`${kind} ${state} ${key}`));
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
