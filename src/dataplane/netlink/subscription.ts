// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from "node:timers/promises";
import type { Trace } from "./connection.ts";
import { type RtEvent, decodeEvent } from "./event.ts";
import { isKernelError } from "./kernel-error.ts";
import { decodeMessages } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Datagrams, each of about one event, that are taken before other work of the process gets its turn. */
const MAX_DATAGRAMS = 256;

/**
 * The events that a socket with groups receives, in batches, until the signal aborts; then it ends quietly. What
 * arrives before the first is asked for waits in the socket. Closing the socket is the caller's.
 */
export async function* readEvents(
  socket: NetlinkSocket,
  signal: AbortSignal,
  trace?: Trace,
): AsyncGenerator<readonly RtEvent[], void, undefined> {
  // The signal is looked at after each wait, for whoever aborts it closes the socket.
  while ((await socket.readable(signal)) && !signal.aborted) {
    const events = takeEvents(socket, trace);
    if (events === "overrun") {
      if (await discardQueued(socket, signal)) yield [{ kind: "overrun" }];
    } else if (events.length > 0) {
      yield events;
    }
  }
}

function takeEvents(socket: NetlinkSocket, trace: Trace | undefined): readonly RtEvent[] | "overrun" {
  const events: RtEvent[] = [];
  for (let count = 0; count < MAX_DATAGRAMS; count++) {
    const bytes = takeOrOverrun(socket);
    if (bytes === "overrun") return "overrun";
    if (bytes === undefined) break;
    trace?.("in", bytes);
    for (const message of decodeMessages(bytes)) {
      const event = decodeEvent(message);
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
