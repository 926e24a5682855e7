// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";
import { getLink } from "../dataplane/netlink/link.ts";
import { RT_TABLE_LOCAL, listRoutesWhere } from "../dataplane/netlink/route.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { hostCidr } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import { type Ip, familyOf } from "../net/ip.ts";

/** One end of a pair of interfaces, and a socket in the namespace that it is in. */
export interface LinkEnd {
  readonly rtnetlink: Rtnetlink;
  readonly name: IfName;
}

const LONGEST_PAUSE_MS = 16;

/**
 * Waits until both ends of a pair carry packets. An end that was up before its peer gets its queue a moment later, by a worker of the kernel (linkwatch_do_dev(),
 * net/core/link_watch.c); until then what is sent there is dropped without a word. The kernel says that an end is running once that is done.
 */
export async function awaitCarrier(ends: readonly LinkEnd[], signal: AbortSignal): Promise<void> {
  for (const end of ends) await until(() => isRunning(end), signal);
}

/**
 * Waits until the namespace takes packets for its IPv6 addresses. A worker of the kernel tells the routing table of a new one a moment later
 * (`addrconf_dad_work()`, net/ipv6/addrconf.c), also where no duplicates are looked for; until then they are dropped.
 */
export async function awaitLocal(
  rtnetlink: Rtnetlink,
  ips: readonly Ip[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = ips.filter((ip) => familyOf(ip) === 6).map(hostCidr);
  if (wanted.length === 0) return;
  await until(async () => {
    const routes = await rtnetlink.list(listRoutesWhere({ family: 6, table: RT_TABLE_LOCAL }));
    return wanted.every((cidr) => routes.some(({ dst, type }) => dst === cidr && type === "local"));
  }, signal);
}

async function until(isSo: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let pauseMs = 1; !(await isSo()); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
    await delay(pauseMs, undefined, { signal });
}

async function isRunning({ rtnetlink, name }: LinkEnd): Promise<boolean> {
  const [link] = await rtnetlink.list(getLink(name));
  return link?.running === true;
}
