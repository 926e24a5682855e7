// SPDX-License-Identifier: Apache-2.0
import type { IfName } from "../net/if-name.ts";
import { describeError } from "../system/log.ts";
import type { WantedMtu } from "../desired/wanted.ts";
import type { Request } from "./apply-table.ts";
import { type LinkTable, missing } from "./link.ts";
import { setLink } from "./netlink/link.ts";
import { listNetnsIds } from "./netlink/netns-id.ts";
import { openNetns } from "./netlink/netns.ts";
import type { NetlinkRequest } from "./netlink/request.ts";
import { type Rtnetlink, openRtnetlink } from "./netlink/rtnetlink.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** Nothing is remembered of the kernel's side: the link of the node end tells. */
export type MtuTable = ReconcileTable<WantedMtu, number>;

/** Both ends of a container's link are to have this MTU. */
export interface MtuRequest extends Request {
  readonly mtu: number;
  readonly index: number;
  readonly peerIndex: number | undefined;
  /** The container's namespace, as this one calls it; `undefined` where it is this one. */
  readonly peerNetnsId: number | undefined;
}

export function createMtuTable(): MtuTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

/** The container's end goes first, so that the node end shows what both are: an end drops what is larger than its own MTU. */
export function planMtu(key: string, table: MtuTable, links: LinkTable): Plan<number, MtuRequest> {
  const wanted = table.wanted(key);
  if (wanted === undefined) return DONE;
  const { ifName, mtu } = wanted;
  const link = links.byName(ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(ifName) };
  if (link.mtu === mtu) return DONE;
  const { index, peerIndex, peerNetnsId } = link;
  return {
    kind: "change",
    requests: [{ ...describe(ifName, mtu), index, peerIndex, peerNetnsId }],
    after: mtu,
  };
}

function describe(ifName: IfName, mtu: number): Pick<MtuRequest, "description" | "mtu"> {
  return { description: `set MTU of "${ifName}" and of its container to ${mtu}`, mtu };
}

/** Looks for the containers' namespaces once for all requests. */
export async function setMtus(
  requests: readonly MtuRequest[],
  rtnetlink: Rtnetlink,
): Promise<readonly (Error | undefined)[]> {
  const paths = await listNetnsIds(rtnetlink);
  const results: (Error | undefined)[] = [];
  for (const request of requests) results.push(await setMtu(request, paths, rtnetlink));
  return results;
}

async function setMtu(
  { description, mtu, index, peerIndex, peerNetnsId }: MtuRequest,
  paths: ReadonlyMap<number, string>,
  rtnetlink: Rtnetlink,
): Promise<Error | undefined> {
  try {
    const own = setLink({ index, mtu });
    if (peerIndex === undefined) return await execute([own], rtnetlink);
    const peer = setLink({ index: peerIndex, mtu });
    if (peerNetnsId === undefined) return await execute([peer, own], rtnetlink);
    const path = paths.get(peerNetnsId);
    if (path === undefined) return new Error(`Cannot ${description}: its network namespace has no path`);
    return (await executeIn(path, [peer])) ?? (await execute([own], rtnetlink));
  } catch (error) {
    return error instanceof Error ? error : new Error(`Cannot ${description}: ${describeError(error)}`);
  }
}

async function executeIn(path: string, requests: readonly NetlinkRequest[]): Promise<Error | undefined> {
  using netns = openNetns(path);
  await using rtnetlink = openRtnetlink({ netns });
  return await execute(requests, rtnetlink);
}

async function execute(
  requests: readonly NetlinkRequest[],
  rtnetlink: Rtnetlink,
): Promise<Error | undefined> {
  return (await rtnetlink.execute(requests)).find((error) => error !== undefined);
}
