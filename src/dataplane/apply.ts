// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import { type Log, describeError } from "../system/log.ts";
import { planAddress } from "./address.ts";
import { planForwarding } from "./forwarding.ts";
import { planLink } from "./link.ts";
import { planNeighbour } from "./neighbour.ts";
import type { KernelError } from "./netlink/kernel-error.ts";
import type { NetlinkRequest } from "./netlink/request.ts";
import type { Rtnetlink } from "./netlink/rtnetlink.ts";
import type { Plan } from "./plan.ts";
import { planRoute } from "./route.ts";
import { type SysctlFiles, type SysctlTable, applySysctl } from "./sysctl.ts";
import type { ReconcileTable } from "./table.ts";
import { type Tables, allTables } from "./tables.ts";

export interface Kernel {
  readonly rtnetlink: Rtnetlink;
  readonly sysctls: SysctlFiles;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Brings the kernel closer to what is wanted, one batch per kind of object. An interface has to be up before routes and neighbours hold on
 * it, and a packet may only meet a node end that is fully set; so the order is links, addresses, sysctls, forwarding entries,
 * neighbours, routes.
 */
export async function applyAll(tables: Tables, kernel: Kernel): Promise<void> {
  const { links, addresses, sysctls, forwarding, neighbours, routes } = tables;
  try {
    const linkPlans = plans(links.table, kernel, (key) => planLink(key, links));
    await carryOut("link", links.table, linkPlans, kernel);
    const addressPlans = plans(addresses, kernel, (key) => planAddress(key, addresses, links));
    await carryOut("address", addresses, addressPlans, kernel);
    applySysctls(sysctls, kernel);
    const forwardingPlans = plans(forwarding, kernel, (key) => planForwarding(key, forwarding, links));
    await carryOut("forwarding", forwarding, forwardingPlans, kernel);
    const neighbourPlans = plans(neighbours, kernel, (key) => planNeighbour(key, neighbours, links));
    await carryOut("neighbour", neighbours, neighbourPlans, kernel);
    const routePlans = plans(routes.table, kernel, (key) => planRoute(key, routes, links));
    await carryOut("route", routes.table, routePlans, kernel);
  } finally {
    for (const table of allTables(tables)) table.giveUp();
  }
}

interface KeyedPlan<S> {
  readonly key: string;
  readonly plan: Plan<S>;
}

function plans<W, S>(
  table: ReconcileTable<W, S>,
  { clock }: Kernel,
  plan: (key: string) => Plan<S>,
): readonly KeyedPlan<S>[] {
  return table.takeDirty(clock.now()).map((key) => ({ key, plan: plan(key) }));
}

async function carryOut<W, S>(
  kind: string,
  table: ReconcileTable<W, S>,
  keyedPlans: readonly KeyedPlan<S>[],
  kernel: Kernel,
): Promise<void> {
  const steps: Step<S>[] = [];
  for (const { key, plan } of keyedPlans) {
    switch (plan.kind) {
      case "done":
        table.done(key);
        break;
      case "blocked":
        table.block(key, plan.reason);
        break;
      case "create":
      case "change":
      case "remove": {
        const after = plan.kind === "change" ? plan.after : undefined;
        steps.push({ key, kind: plan.kind, request: plan.request, before: table.seen(key), after });
        // Expected before it is asked for, so that whatever event comes meanwhile has the last word.
        table.expect(key, after);
        break;
      }
    }
  }
  if (steps.length === 0) return;
  const results = await kernel.rtnetlink.execute(steps.map(({ request }) => request));
  for (const [index, step] of steps.entries()) conclude(kind, table, step, results[index], kernel);
}

interface Step<S> {
  readonly key: string;
  readonly kind: "create" | "change" | "remove";
  readonly request: NetlinkRequest;
  readonly before: S | undefined;
  readonly after: S | undefined;
}

function conclude<W, S>(
  kind: string,
  table: ReconcileTable<W, S>,
  { key, kind: verb, request, before, after }: Step<S>,
  error: KernelError | undefined,
  { clock, log }: Kernel,
): void {
  // To remove what is no longer there is to have succeeded.
  if (error === undefined || (verb === "remove" && GONE.includes(error.code))) {
    table.done(key);
    log.debug(request.description, { kind, key });
    return;
  }
  if (table.seen(key) === after) table.expect(key, before);
  const fault = table.fail(key, error.message, clock.now());
  // One refusal may be the echo of an event that is still under way.
  if (fault.attempts > 1) log.warn(error.message, { kind, key, attempts: fault.attempts });
}

const GONE: readonly string[] = ["ESRCH", "ENOENT", "ENODEV", "EADDRNOTAVAIL"];

function applySysctls(table: SysctlTable, { sysctls, clock, log }: Kernel): void {
  for (const key of table.takeDirty(clock.now())) {
    const wanted = table.wanted(key);
    if (wanted === undefined) {
      table.done(key);
      continue;
    }
    try {
      const outcome = applySysctl(wanted, sysctls);
      if (outcome.kind === "blocked") table.block(key, outcome.reason);
      else table.done(key);
      if (outcome.kind === "changed") log.debug("Set sysctl", { key, value: wanted.value });
    } catch (error) {
      const fault = table.fail(key, describeError(error), clock.now());
      log.warn("Cannot set sysctl", { key, value: wanted.value, error, attempts: fault.attempts });
    }
  }
}
