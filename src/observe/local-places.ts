// SPDX-License-Identifier: Apache-2.0
// A real node: its own network namespace, and those of the containers that its kernel has routes to. Nobody has to be asked but the kernel.
import { getLink } from "../dataplane/netlink/link.ts";
import { listNetnsIds } from "../dataplane/netlink/netns-id.ts";
import { isKernelError } from "../dataplane/netlink/kernel-error.ts";
import { lookUpRoute } from "../dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { Ip } from "../net/ip.ts";
import type { StationPlace } from "./place.ts";

/** The node's own; `self`, and so what `nsenter` makes of it, is in that namespace. */
export const OWN_NETNS = "/proc/self/ns/net";

export interface LocalPlaces {
  readonly node: StationPlace;
  /** The container with the address; `undefined` where this node has none such. */
  readonly container: (address: Ip) => StationPlace | undefined;
}

/** Finds the containers of these addresses, by the routes to them. Throws `KernelError`. */
export async function findLocalPlaces(nodeName: string, addresses: readonly Ip[]): Promise<LocalPlaces> {
  await using rtnetlink = openRtnetlink();
  const found = new Map<Ip, StationPlace>();
  for (const address of addresses) {
    const place = await findContainer(rtnetlink, nodeName, address);
    if (place !== undefined) found.set(address, place);
  }
  return {
    node: { name: nodeName, kind: "node", netnsPath: OWN_NETNS },
    container: (address) => found.get(address),
  };
}

async function findContainer(
  rtnetlink: Rtnetlink,
  node: string,
  address: Ip,
): Promise<StationPlace | undefined> {
  const ifIndex = await outIfIndex(rtnetlink, address);
  if (ifIndex === undefined) return undefined;
  const [link] = await rtnetlink.list(getLink({ index: ifIndex }));
  if (link?.kind !== "veth" || link.peerNetnsId === undefined) return undefined;
  const netnsPath = (await listNetnsIds(rtnetlink)).get(link.peerNetnsId);
  if (netnsPath === undefined) return undefined;
  return { name: address, kind: "container", netnsPath, attachment: { node, ifName: link.name } };
}

/** Absent where a packet to the address would go through a gateway, or nowhere: no container of this node has it. */
async function outIfIndex(rtnetlink: Rtnetlink, address: Ip): Promise<number | undefined> {
  try {
    const [route] = await rtnetlink.list(lookUpRoute(address));
    return route?.gateway === undefined ? route?.ifIndex : undefined;
  } catch (error) {
    if (["ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL"].some((code) => isKernelError(error, code)))
      return undefined;
    throw error;
  }
}
