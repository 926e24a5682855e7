// SPDX-License-Identifier: Apache-2.0
import { openNetns } from "../../src/dataplane/netlink/netns.ts";
import type { KernelRoute } from "../../src/dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import type { Cidr } from "../../src/net/cidr.ts";

/** A node's kernel, as far as it tells of routes that come. */
export interface RouteWatch extends AsyncDisposable {
  /** Resolves with the time at which the kernel told of a route to the prefix, or of such a route, in milliseconds of `performance.now()`. */
  readonly routeTo: (dst: Cidr, isSuch?: (route: KernelRoute) => boolean) => Promise<number>;
}

export function watchRoutes(netnsPath: string): RouteWatch {
  using netns = openNetns(netnsPath);
  const rtnetlink = openRtnetlink({ netns });
  const stop = new AbortController();
  const waiting = new Map<string, Waiter>();
  const done = tell(rtnetlink, stop.signal, waiting);
  return {
    routeTo(dst, isSuch = () => true) {
      const { promise, resolve } = Promise.withResolvers<number>();
      waiting.set(dst, { isSuch, resolve });
      return promise;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
      await rtnetlink[Symbol.asyncDispose]();
    },
  };
}

interface Waiter {
  readonly isSuch: (route: KernelRoute) => boolean;
  readonly resolve: (atMs: number) => void;
}

async function tell(rtnetlink: Rtnetlink, signal: AbortSignal, waiting: Map<string, Waiter>): Promise<void> {
  for await (const events of rtnetlink.events(["route"], { signal })) {
    const atMs = performance.now();
    for (const event of events) {
      if (event.kind === "overrun") throw new Error("Cannot go on: route events were lost");
      if (event.kind !== "route" || event.change !== "new") continue;
      const waiter = waiting.get(event.route.dst);
      if (waiter?.isSuch(event.route) !== true) continue;
      waiter.resolve(atMs);
      waiting.delete(event.route.dst);
    }
  }
}
