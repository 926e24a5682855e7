// SPDX-License-Identifier: Apache-2.0
import { listAddresses } from "../../dataplane/netlink/address.ts";
import { isKernelError } from "../../dataplane/netlink/kernel-error.ts";
import { listLinks } from "../../dataplane/netlink/link.ts";
import {
  type KernelRoute,
  RT_TABLE_MAIN,
  type RouteLookup,
  listRoutesWhere,
  lookUpRoute,
} from "../../dataplane/netlink/route.ts";
import type { RtEvent, Rtnetlink } from "../../dataplane/netlink/rtnetlink.ts";
import type { AddressSetting } from "../../model/address-setting.ts";
import type { Family, Ip } from "../../net/ip.ts";
import { DEFAULT_ROUTES } from "../../net/cidr.ts";
import type { NetworkState } from "./detection.ts";
import { isOwnInterface } from "./foreign-interface.ts";

interface Wait {
  readonly signal: AbortSignal;
}

/** What is looked for. */
export interface Search {
  readonly setting: AddressSetting;
  readonly family: Family;
}

/** Lists what an address is chosen from. Rejects with `KernelError`. */
export async function readNetwork(
  rtnetlink: Rtnetlink,
  { setting, family }: Search,
  { signal }: Wait,
): Promise<NetworkState> {
  return {
    family,
    links: await rtnetlink.list(listLinks, { signal }),
    addresses: await rtnetlink.list(listAddresses, { signal }),
    routes: await listMainRoutes(rtnetlink, family, { signal }),
    way: setting.kind === "can-reach" ? await findWay(rtnetlink, setting.ip, { signal }) : undefined,
  };
}

/** As {@link readNetwork}, now and after each change that may matter, until the signal aborts or rtnetlink is closed. */
export async function* watchNetwork(
  rtnetlink: Rtnetlink,
  search: Search,
  { signal }: Wait,
): AsyncGenerator<NetworkState, void, undefined> {
  const stop = new AbortController();
  // Subscribed before the first listing, so that no change falls between the two.
  const batches = rtnetlink.events(["link", "address", "route", "rule"], {
    signal: AbortSignal.any([signal, stop.signal]),
  });
  try {
    yield await readNetwork(rtnetlink, search, { signal });
    for await (const batch of batches)
      if (batch.some((event) => matters(search, event)))
        yield await readNetwork(rtnetlink, search, { signal });
  } finally {
    stop.abort();
  }
}

/** Containers come and go, and so do the routes to them and to other nodes' blocks. */
function matters({ setting: { kind }, family }: Search, event: RtEvent): boolean {
  switch (event.kind) {
    case "overrun":
    case "address":
      return true;
    case "link":
      return !isOwnInterface(event.link.name);
    case "route":
      return kind === "can-reach" || event.route.dst === DEFAULT_ROUTES[family];
    case "rule":
      return kind === "can-reach";
    case "neighbour":
    case "fdb":
    case "filter":
      return false;
  }
}

/** The kernel makes the table with its first route. */
async function listMainRoutes(
  rtnetlink: Rtnetlink,
  family: Family,
  wait: Wait,
): Promise<readonly KernelRoute[]> {
  try {
    return await rtnetlink.list(listRoutesWhere({ family, table: RT_TABLE_MAIN }), wait);
  } catch (error) {
    if (isKernelError(error, "ENOENT")) return [];
    throw error;
  }
}

/** In the order of {@link lookUpRoute}. */
const NO_WAY = ["ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL"] as const;

async function findWay(rtnetlink: Rtnetlink, ip: Ip, wait: Wait): Promise<RouteLookup | undefined> {
  try {
    const [way] = await rtnetlink.list(lookUpRoute(ip), wait);
    return way;
  } catch (error) {
    if (NO_WAY.some((code) => isKernelError(error, code))) return undefined;
    throw error;
  }
}
