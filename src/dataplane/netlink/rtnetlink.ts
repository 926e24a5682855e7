// SPDX-License-Identifier: Apache-2.0
import { Connection, type Trace, type WaitOptions } from "./connection.ts";
import { type EventGroup, type RtEvent, decodeEvent, groupBits } from "./event.ts";
import type { KernelError } from "./kernel-error.ts";
import { type Netns, openNetns } from "./netns.ts";
import type { Dump, NetlinkRequest } from "./request.ts";
import { type NetlinkSocket, openNetlinkSocket } from "./socket.ts";
import { Subscriptions } from "./subscription.ts";

export type { EventGroup, RtEvent } from "./event.ts";

/** The network state of one namespace: changing it, listing it, hearing of changes. */
export interface Rtnetlink extends AsyncDisposable {
  /**
   * Sends the requests and returns what came of each, in their order: `undefined` is success. Callers take turns. Rejects
   * where the outcome cannot be known: with a `KernelError` where answers were lost, with the signal's reason where it aborted.
   */
  execute(
    requests: readonly NetlinkRequest[],
    options?: WaitOptions,
  ): Promise<readonly (KernelError | undefined)[]>;
  /** Everything of a kind, read again where the table changed meanwhile. Throws `KernelError`. */
  list<T>(dump: Dump<T>, options?: WaitOptions): Promise<readonly T[]>;
  /**
   * The changes of these kinds in batches, beginning with this call: what happens before the iteration starts is kept. So
   * to subscribe first and list then misses nothing, and may tell something twice. Ends quietly when the signal aborts
   * or rtnetlink is closed; until then the kernel keeps what is not read.
   */
  events(
    groups: readonly EventGroup[],
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly RtEvent[]>;
}

export interface RtnetlinkOptions {
  /** The namespace to speak for; it need not stay open. @default the calling thread's */
  readonly netns?: Netns;
  /** Sees the bytes of every datagram. */
  readonly trace?: Trace;
  /** What may wait in a subscription before it is overrun, in the kernel's count. @default 16 MiB, some 40,000 routes */
  readonly eventBufferBytes?: number;
}

/** Room for the errors of a whole batch. */
const REQUEST_BUFFER_BYTES = 1024 * 1024;
const EVENT_BUFFER_BYTES = 16 * 1024 * 1024;

/** Opens rtnetlink; throws `KernelError`. */
export function openRtnetlink({
  netns,
  trace,
  eventBufferBytes = EVENT_BUFFER_BYTES,
}: RtnetlinkOptions = {}): Rtnetlink {
  // A handle of its own, since each subscription opens a socket there later.
  const home = openNetns(netns === undefined ? "/proc/thread-self/ns/net" : `/proc/self/fd/${netns.fd}`);
  try {
    const socket = home.run(() => openNetlinkSocket({ receiveBufferBytes: REQUEST_BUFFER_BYTES }));
    const openEvents = (groups: number): NetlinkSocket =>
      home.run(() => openNetlinkSocket({ groups, receiveBufferBytes: eventBufferBytes }));
    return createRtnetlink({ connection: new Connection(socket, { trace }), home, openEvents, trace });
  } catch (error) {
    home[Symbol.dispose]();
    throw error;
  }
}

interface Parts {
  readonly connection: Connection;
  readonly home: Netns;
  readonly openEvents: (groups: number) => NetlinkSocket;
  readonly trace: Trace | undefined;
}

function createRtnetlink({ connection, home, openEvents, trace }: Parts): Rtnetlink {
  const subscriptions = new Subscriptions();
  return {
    execute: (requests, options) => connection.execute(requests, options),
    list: (dump, options) => connection.list(dump, options),
    events: (groups, { signal }) =>
      subscriptions.read(openEvents(groupBits(groups)), signal, { decode: decodeEvent, trace }),
    async [Symbol.asyncDispose]() {
      subscriptions[Symbol.dispose]();
      await connection[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}
