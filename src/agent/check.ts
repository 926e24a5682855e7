// SPDX-License-Identifier: Apache-2.0
import { openEchoSocket } from "../dataplane/probe/echo-socket.ts";
import { type PathSize, findPathSize } from "../dataplane/probe/path-size.ts";
import { IPV6_MIN_MTU, MTU_FIELDS, innerBytes } from "../desired/mtu.ts";
import type { PathToNode } from "../desired/paths.ts";
import { familyOf } from "../net/ip.ts";
import { describeError } from "../system/log.ts";

/** What came of one way. */
export type CheckedPath = Omit<PathToNode, "longest"> &
  (
    | { readonly verdict: "ok" }
    | {
        readonly verdict: "tooSmall";
        /** The longest packet that passes, in octets. */
        readonly found: number;
        /** What to do about it. */
        readonly remedy: string;
      }
    | { readonly verdict: "unreachable"; readonly reason: string }
  );

/** What `POST /check` answers. */
export interface CheckReport {
  readonly nodeName: string;
  /** Whether every way takes what this node may send. */
  readonly ok: boolean;
  readonly paths: readonly CheckedPath[];
}

/** How many nodes are tried at once: together they have a packet each under way. */
const AT_ONCE = 16;

/**
 * Tries every way with packets of the length that this node may send there; a node's ways come one after the other, each family's underlay first.
 * Rejects with the signal's reason.
 */
export async function checkPaths(
  nodeName: string,
  paths: readonly PathToNode[],
  { signal }: { readonly signal: AbortSignal },
): Promise<CheckReport> {
  const nodes = [...Map.groupBy(paths, ({ node }) => node).values()];
  const checked: (readonly CheckedPath[])[] = [];
  // One iterator for all who work: each takes what nobody has taken.
  const waiting = nodes.entries();
  const work = async (): Promise<void> => {
    for (const [index, ways] of waiting) checked[index] = await checkNode(ways, signal);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const all = checked.flat();
  return { nodeName, ok: all.every(({ verdict }) => verdict === "ok"), paths: all };
}

/**
 * Tunnels on an underlay that is too small in their family are not tried: kernels cut their packets in pieces, some of which arrive, so that what
 * was found would say little.
 */
async function checkNode(ways: readonly PathToNode[], signal: AbortSignal): Promise<readonly CheckedPath[]> {
  const checked: CheckedPath[] = [];
  for (const way of ways) {
    const isUnderlaySmall = checked.some(
      ({ verdict, address }) => verdict === "tooSmall" && familyOf(address) === familyOf(way.address),
    );
    if (!isUnderlaySmall) checked.push(judge(way, await sizeOf(way, signal)));
  }
  return checked;
}

async function sizeOf({ address, bytes }: PathToNode, signal: AbortSignal): Promise<PathSize> {
  try {
    using socket = openEchoSocket(address);
    return await findPathSize(socket, bytes, { signal });
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "unreachable", reason: describeError(error) };
  }
}

/** What is to be said of the way. */
export function judge({ longest, ...path }: PathToNode, size: PathSize): CheckedPath {
  switch (size.kind) {
    case "passes":
      return { ...path, verdict: "ok" };
    case "tooSmall":
      return { ...path, verdict: "tooSmall", found: size.found, remedy: remedy(path, longest, size.found) };
    case "unreachable":
      return { ...path, verdict: "unreachable", reason: size.reason };
  }
}

function remedy(
  { via, address, bytes }: Omit<PathToNode, "longest">,
  longest: PathToNode["longest"],
  found: number,
): string {
  const network = `have the network carry ${bytes} octets`;
  const mtu = via === "underlay" && longest !== "direct" ? innerBytes(longest, found) : found;
  if (familyOf(address) === 6 && mtu < IPV6_MIN_MTU)
    return `have the network carry more: IPv6 packets need ${IPV6_MIN_MTU} octets, and ${mtu} are left`;
  if (longest === "direct")
    return `${network}, or set the MTU of the nodes' interfaces that lead there to ${found}`;
  const setting = `set ${MTU_FIELDS[longest]} of the FelixConfiguration "default" to ${mtu}`;
  return via === "underlay" ? `${network}, or ${setting}` : setting;
}
