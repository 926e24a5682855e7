// SPDX-License-Identifier: Apache-2.0
import { IPV6_FORWARDING } from "../desired/sysctl.ts";
import { type Kind, WIREGUARD_DEVICE, sysctlKey, wireguardKey } from "../desired/wanted.ts";
import { describeError } from "../system/log.ts";
import { keepAdvertisements } from "./advertisements.ts";
import { applyTable } from "./apply-table.ts";
import { applyChecksums } from "./checksum.ts";
import { planBehindGuard } from "./guard.ts";
import type { Kernel } from "./kernel.ts";
import type { LinkTable } from "./link.ts";
import { changeLinks } from "./link-request.ts";
import { setMtus } from "./mtu.ts";
import { makePeers, planBehindPeer, unmakePeers } from "./peer.ts";
import type { NetlinkRequest } from "./netlink/request.ts";
import type { Plan } from "./plan.ts";
import { plannersOf } from "./planners.ts";
import { type SysctlTable, applySysctl } from "./sysctl.ts";
import type { ReconcileTable } from "./table.ts";
import { type Tables, allTables } from "./tables.ts";
import { makeWireguard } from "./wireguard.ts";

/**
 * Brings the kernel closer to what is wanted, one batch per kind of object. An interface has to be up before routes and neighbours hold on
 * it, a packet may only meet a node end that is fully set, and a tunnel only opens behind its guard; so the order is guards, check of
 * source addresses, outgoing translation, links, checksums, MTUs, sysctls (which say whether an interface takes IPv6 addresses), addresses, forwarding entries, neighbours, IPIP, WireGuard and its peers, rules, routes. What IPIP no longer needs, and peers, go last, for
 * until then routes may still lead there, and then what the guards do not.
 */
export async function applyAll(tables: Tables, kernel: Kernel): Promise<void> {
  const {
    guard,
    guard6,
    source,
    nat,
    link: links,
    checksum,
    mtu,
    address,
    sysctl,
    forwarding,
    neighbour,
    ipip,
    wireguard,
    peer,
    rule,
    route,
  } = tables;
  const plan = plannersOf(tables);
  const byRtnetlink = (requests: readonly NetlinkRequest[]): Promise<readonly (Error | undefined)[]> =>
    kernel.rtnetlink.execute(requests);
  const reconcile = <W, S>(kind: Kind, table: ReconcileTable<W, S>, next: (key: string) => Plan<S>) =>
    applyTable({ kind, table, plan: next, execute: byRtnetlink }, kernel);
  try {
    // What waits for its guard is looked at again when that may have changed.
    for (const one of [guard, guard6]) if (await one.make(kernel)) links.table.markFaults();
    await source.apply(kernel);
    await nat.apply(kernel);
    await applyTable(
      {
        kind: "link",
        table: links.table,
        plan: (key) => planBehindGuard(plan.link(key), key, links, [guard, guard6]),
        execute: (requests) => changeLinks(requests, kernel),
      },
      kernel,
    );
    await applyChecksums(checksum, links, kernel);
    await applyTable(
      {
        kind: "mtu",
        table: mtu,
        plan: plan.mtu,
        execute: (requests) => setMtus(requests, kernel.rtnetlink),
      },
      kernel,
    );
    applySysctls(sysctl, links, kernel);
    await reconcile("address", address.table, plan.address);
    await reconcile("forwarding", forwarding, plan.forwarding);
    await reconcile("neighbour", neighbour, plan.neighbour);
    await ipip.make(kernel, address);
    await makeWireguard(tables, kernel);
    const own = wireguard.wanted(wireguardKey(WIREGUARD_DEVICE))?.publicKey;
    await makePeers({ peer, links, own }, kernel);
    await reconcile("rule", rule, plan.rule);
    const nowMs = kernel.clock.now();
    await reconcile("route", route.table, (key) =>
      planBehindPeer(plan.route(key), route.table.wanted(key), { peer, nowMs }),
    );
    await unmakePeers({ peer, links, own }, kernel);
    await ipip.unmake(kernel);
    for (const one of [guard, guard6]) await one.unmake(kernel);
  } finally {
    for (const table of allTables(tables)) table.giveUp();
  }
}

function applySysctls(table: SysctlTable, links: LinkTable, { sysctls, clock, log }: Kernel): void {
  for (const key of table.takeDirty(clock.now())) {
    const wanted = table.wanted(key);
    if (wanted === undefined) {
      table.done(key);
      continue;
    }
    try {
      if (key === sysctlKey(IPV6_FORWARDING)) {
        const kept = keepAdvertisements(links.othersNames(), sysctls);
        if (kept.length > 0)
          log.info("Interfaces go on to heed routers' advertisements", { interfaces: kept });
      }
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
