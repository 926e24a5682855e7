// SPDX-License-Identifier: Apache-2.0
import type { KernelError } from "./kernel-error.ts";
import { putU32 } from "./integer.ts";
import {
  type NetlinkMessage,
  NLM_F_ACK,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  decodeMessages,
  encodeMessages,
} from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/** What stands in the queue: the messages of one datagram, bytes as they are, or an error that reading fails with. */
export type FakeDatagram = readonly NetlinkMessage[] | Uint8Array | KernelError;

export interface FakeSocket extends NetlinkSocket {
  /** Puts a datagram into the queue, as the kernel does when something happens. */
  deliver(datagram: FakeDatagram): void;
  readonly isClosed: boolean;
}

/** Stands in for the kernel below the protocol. `answer` says, message by message, what the kernel answers. */
export function createFakeSocket(
  answer: (message: NetlinkMessage) => readonly FakeDatagram[] = acknowledge,
): FakeSocket {
  const queue: FakeDatagram[] = [];
  const waiting = new Set<() => void>();
  let isClosed = false;
  const deliver = (datagram: FakeDatagram): void => {
    queue.push(datagram);
    for (const wake of waiting) wake();
  };
  const take = (): Uint8Array | undefined => {
    const datagram = queue.shift();
    if (datagram instanceof Error) throw datagram;
    return datagram === undefined || datagram instanceof Uint8Array ? datagram : encodeMessages(datagram);
  };
  return {
    send(bytes) {
      for (const message of decodeMessages(bytes)) answer(message).forEach(deliver);
      return Promise.resolve();
    },
    take,
    read: () => Promise.resolve().then(take),
    readable(signal) {
      if (signal?.aborted === true) return Promise.resolve(false);
      if (queue.length > 0) return Promise.resolve(true);
      return waitIn(waiting, signal);
    },
    deliver,
    get isClosed() {
      return isClosed;
    },
    [Symbol.dispose]() {
      isClosed = true;
    },
  };
}

/** What the kernel does with a message that it agrees to. */
export function acknowledge(message: NetlinkMessage): readonly FakeDatagram[] {
  return (message.flags & NLM_F_ACK) === 0 ? [] : [[acknowledgement(message, 0)]];
}

/** The `NLMSG_ERROR` for a request: `errno` 0 is success. `attributes` are those of an extended acknowledgement. */
export function acknowledgement(
  request: NetlinkMessage,
  errno: number,
  { flags = 0, attributes = new Uint8Array(0) }: { flags?: number; attributes?: Uint8Array } = {},
): NetlinkMessage {
  const echoed = encodeMessages([request]).subarray(0, NLMSG_HDRLEN);
  const body = new Uint8Array(4 + NLMSG_HDRLEN + attributes.length);
  putU32(body, 0, -errno);
  body.set(echoed, 4);
  body.set(attributes, 4 + NLMSG_HDRLEN);
  return { type: NLMSG_ERROR, flags, sequence: request.sequence, portId: request.portId, body };
}

function waitIn(waiting: Set<() => void>, signal: AbortSignal | undefined): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const finish = (readable: boolean): void => {
    waiting.delete(wake);
    signal?.removeEventListener("abort", abort);
    resolve(readable);
  };
  const wake = (): void => {
    finish(true);
  };
  const abort = (): void => {
    finish(false);
  };
  waiting.add(wake);
  signal?.addEventListener("abort", abort);
  return promise;
}
