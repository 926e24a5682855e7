// SPDX-License-Identifier: Apache-2.0
// Whom a trace on a node asks to take part: the node that has the destination's container, as the datastore says.
import { hostname } from "node:os";
import { nodeStatus } from "../../agent/answers.ts";
import { askAgent } from "../../agent/client.ts";
import type { Store } from "../../datastore/store.ts";
import { createAllocator } from "../../ipam/allocator.ts";
import { resourcePrefix } from "../../model/keys.ts";
import { parseNodeName } from "../../model/name.ts";
import { poolOf } from "../../model/pools.ts";
import { parseStoredResource } from "../../model/resource.ts";
import type { Ip } from "../../net/ip.ts";
import { askNode } from "../../observe/exchange/ask.ts";
import type { RemotePost } from "../../observe/remote-post.ts";
import { systemClock } from "../../system/clock.ts";
import { silentLog } from "../../system/log.ts";

/** An agent that lives answers at once, and the datastore soon. */
const TIMEOUT_MS = 3000;

/** What this node's agent calls it; the machine's name where none answers. */
export async function ownNodeName(socket: string, signal: AbortSignal): Promise<string> {
  try {
    const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    return nodeStatus.parse(await askAgent(socket, "/status", { signal: until })).nodeName;
  } catch {
    signal.throwIfAborted();
    return hostname();
  }
}

/**
 * The node that has the address, ready to be asked; `undefined` where this one has it, or the cluster does not know it. Where the datastore cannot be read, it is one that says
 * so.
 */
export async function findRemote(
  store: Store,
  own: string,
  dst: Ip,
  signal: AbortSignal,
): Promise<(RemotePost & AsyncDisposable) | undefined> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const node = await ownerOf(store, own, dst, until);
    if (node === undefined || node === own) return undefined;
    return askNode({ store, clock: systemClock }, { node, asker: own });
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return unreachable(
      `no other node can be asked, for this one's agent does not give the datastore: ${reason}`,
    );
  }
}

async function ownerOf(store: Store, own: string, ip: Ip, signal: AbortSignal): Promise<string | undefined> {
  const { entries } = await store.list(resourcePrefix("IPPool"), { signal });
  const pools = entries.flatMap(({ value }) => {
    const parsed = parseStoredResource("IPPool", JSON.parse(value));
    return parsed.kind === "ok" ? [parsed.value] : [];
  });
  if (poolOf(pools, ip) === undefined) return undefined;
  const allocator = createAllocator(
    { store, clock: systemClock, log: silentLog },
    { nodeName: parseNodeName(own) },
  );
  return (await allocator.lookup(ip, { pools, signal }))?.allocation?.attributes["node"];
}

function unreachable(reason: string): RemotePost & AsyncDisposable {
  return {
    begin: () => Promise.resolve({ kind: "silent", reason }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
