// SPDX-License-Identifier: Apache-2.0
import { openNetns } from "../../src/dataplane/netlink/netns.ts";
import { type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import type { Cidr } from "../../src/net/cidr.ts";

/** A node's kernel, as far as it tells of routes that come. */
export interface RouteWatch extends AsyncDisposable {
  /** Resolves with the time at which the kernel told of a route to the prefix, in milliseconds of `performance.now()`. */
  readonly routeTo: (dst: Cidr) => Promise<number>;
}

export function watchRoutes(netnsPath: string): RouteWatch {
  using netns = openNetns(netnsPath);
  const rtnetlink = openRtnetlink({ netns });
  const stop = new AbortController();
  const waiting = new Map<string, (atMs: number) => void>();
  const done = tell(rtnetlink, stop.signal, waiting);
  return {
    routeTo(dst) {
      const { promise, resolve } = Promise.withResolvers<number>();
      waiting.set(dst, resolve);
      return promise;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
      await rtnetlink[Symbol.asyncDispose]();
    },
  };
}

async function tell(
  rtnetlink: Rtnetlink,
  signal: AbortSignal,
  waiting: Map<string, (atMs: number) => void>,
): Promise<void> {
  for await (const events of rtnetlink.events(["route"], { signal })) {
    const atMs = performance.now();
    for (const event of events) {
      if (event.kind === "overrun") throw new Error("Cannot go on: route events were lost");
      if (event.kind !== "route" || event.change !== "new") continue;
      waiting.get(event.route.dst)?.(atMs);
      waiting.delete(event.route.dst);
    }
  }
}
