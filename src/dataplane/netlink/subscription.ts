// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from "node:timers/promises";
import type { Trace } from "./connection.ts";
import { isKernelError } from "./kernel-error.ts";
import { type NetlinkMessage, decodeMessages } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Datagrams, each of about one event, that are taken before other work of the process gets its turn. */
const MAX_DATAGRAMS = 256;

/** Changes were lost: what is known of the kernel's state is out of date and must be listed again. */
export interface Overrun {
  readonly kind: "overrun";
}

/** The event that a message is; `undefined` where it is about nothing of interest. */
export type EventDecoder<E> = (message: NetlinkMessage) => E | undefined;

/** Decodes the events of one kind of socket. */
export interface Decoding<E> {
  readonly decode: EventDecoder<E>;
  readonly trace?: Trace | undefined;
}

/**
 * The events that a socket with groups receives, in batches, until the signal aborts; then it ends quietly. What
 * arrives before the first is asked for waits in the socket. Closing the socket is the caller's.
 */
export async function* readEvents<E>(
  socket: NetlinkSocket,
  signal: AbortSignal,
  decoding: Decoding<E>,
): AsyncGenerator<readonly (E | Overrun)[], void, undefined> {
  // The signal is looked at after each wait, for whoever aborts it closes the socket.
  while ((await socket.readable(signal)) && !signal.aborted) {
    const events = takeEvents(socket, decoding);
    if (events === "overrun") {
      if (await discardQueued(socket, signal)) yield [{ kind: "overrun" }];
    } else if (events.length > 0) {
      yield events;
    }
  }
}

function takeEvents<E>(socket: NetlinkSocket, { decode, trace }: Decoding<E>): readonly E[] | "overrun" {
  const events: E[] = [];
  for (let count = 0; count < MAX_DATAGRAMS; count++) {
    const bytes = takeOrOverrun(socket);
    if (bytes === "overrun") return "overrun";
    if (bytes === undefined) break;
    trace?.("in", bytes);
    for (const message of decodeMessages(bytes)) {
      const event = decode(message);
      if (event !== undefined) events.push(event);
    }
  }
  return events;
}

/**
 * What is queued after an overrun is older than what was lost. Told after the consumer has listed anew, it would bring
 * back what is gone; so it goes before the consumer hears of the overrun. False where the signal aborted.
 */
async function discardQueued(socket: NetlinkSocket, signal: AbortSignal): Promise<boolean> {
  for (let count = 1; !signal.aborted; count++) {
    if (takeOrOverrun(socket) === undefined) return true;
    if (count % MAX_DATAGRAMS === 0) await setImmediate();
  }
  return false;
}

function takeOrOverrun(socket: NetlinkSocket): Uint8Array | "overrun" | undefined {
  try {
    return socket.take();
  } catch (error) {
    if (isKernelError(error, "ENOBUFS")) return "overrun";
    throw error;
  }
}

/** Sockets with groups that are read until they are not needed any more. Disposing closes all. */
export class Subscriptions implements Disposable {
  readonly #open = new Set<() => void>();

  /** As {@link readEvents}; the socket is closed at the end, which comes with the signal at the latest. */
  read<E>(
    socket: NetlinkSocket,
    signal: AbortSignal,
    decoding: Decoding<E>,
  ): AsyncIterable<readonly (E | Overrun)[]> {
    const stop = new AbortController();
    const close = (): void => {
      signal.removeEventListener("abort", close);
      this.#open.delete(close);
      // In this order: nobody may wait for a descriptor that is closed.
      stop.abort();
      socket[Symbol.dispose]();
    };
    this.#open.add(close);
    signal.addEventListener("abort", close);
    if (signal.aborted) close();
    return closeAfter(readEvents(socket, stop.signal, decoding), close);
  }

  [Symbol.dispose](): void {
    for (const close of this.#open) close();
  }
}

async function* closeAfter<T>(
  items: AsyncIterable<T>,
  close: () => void,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* items;
  } finally {
    close();
  }
}
