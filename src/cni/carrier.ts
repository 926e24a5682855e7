// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";
import { getLink } from "../dataplane/netlink/link.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { IfName } from "../net/if-name.ts";

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
  for (const end of ends)
    for (let pauseMs = 1; !(await isRunning(end)); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
      await delay(pauseMs, undefined, { signal });
}

async function isRunning({ rtnetlink, name }: LinkEnd): Promise<boolean> {
  const [link] = await rtnetlink.list(getLink(name));
  return link?.running === true;
}
