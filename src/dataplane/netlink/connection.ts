// SPDX-License-Identifier: Apache-2.0
import { KernelError, decodeError } from "./kernel-error.ts";
import {
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  decodeMessages,
  encodeMessages,
  nlmsgAlign,
} from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";
import type { NetlinkSocket } from "./socket.ts";

/** Sees the bytes of every datagram; valid only during the call. */
export type Trace = (direction: "out" | "in", bytes: Uint8Array) => void;

export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** What stands before and behind requests that take effect together. */
export interface Transaction {
  readonly begin: NetlinkRequest;
  readonly end: NetlinkRequest;
}

/** Requests of a batch, by their index, whose answer is the last that comes. */
interface Answers {
  /** One that is answered only where nothing else has to be. */
  readonly first: number | undefined;
  readonly last: number;
}

/**
 * How many requests one write carries. More gain nothing, and should all of them fail, the answers must fit into
 * the receive buffer.
 */
const BATCH = 200;
/** The kernel takes no longer write than the send buffer, which is 208 KiB unless the system says otherwise. */
const BATCH_BYTES = 128 * 1024;
/** How often a listing starts over because the table changed under it. */
const DUMP_ATTEMPTS = 10;
/** enum of asm-generic/errno-base.h: what the kernel calls an interrupted dump. */
const EINTR = 4;

/** The protocol of requests and answers: sequence numbers, acknowledgements, answers of several parts. */
export class Connection implements AsyncDisposable {
  readonly #socket: NetlinkSocket;
  readonly #trace: Trace | undefined;
  #sequence = 0;
  #isClosed = false;
  /** Resolves when the last of those who use or wait for the socket is done; never rejects. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(socket: NetlinkSocket, { trace }: { readonly trace?: Trace | undefined } = {}) {
    this.#socket = socket;
    this.#trace = trace;
  }

  /**
   * Sends the requests and returns what came of each, in their order. Rejects where that cannot be known: `KernelError` with
   * `ENOBUFS` where answers were lost, the signal's reason where it aborted; what was sent until then may have been done.
   */
  async execute(
    requests: readonly NetlinkRequest[],
    { signal }: WaitOptions = {},
  ): Promise<readonly (KernelError | undefined)[]> {
    const results: (KernelError | undefined)[] = [];
    while (results.length < requests.length) {
      const batch = nextBatch(requests, results.length);
      // A turn for each batch, so that a few urgent requests need not wait for a hundred thousand others.
      results.push(...(await this.#inTurn(() => this.#executeBatch(batch, signal), signal)));
    }
    return results;
  }

  /**
   * Sends the requests in one write, between two that say where their transaction begins and ends: all of them take effect, or none. Returns what
   * is wrong with them, if anything is; rejects as {@link execute} does.
   */
  async executeTogether(
    requests: readonly NetlinkRequest[],
    { begin, end }: Transaction,
    { signal }: WaitOptions = {},
  ): Promise<KernelError | undefined> {
    const batch = [begin, ...requests, end];
    // What begins and ends is answered only where the whole has failed (nfnetlink_rcv_batch(), net/netfilter/nfnetlink.c).
    const answers = { first: 0, last: requests.length };
    const results = await this.#inTurn(() => this.#executeBatch(batch, signal, answers), signal);
    return results.find((result) => result !== undefined);
  }

  /** Everything the dump's request is answered with. A listing that has begun is read to its end even if the signal aborts. */
  async list<T>(dump: Dump<T>, { signal }: WaitOptions = {}): Promise<readonly T[]> {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const items = await this.#inTurn(() => this.#listOnce(dump, signal), signal);
      if (items !== undefined) return items;
    }
    const extAck = `the table changed during each of ${DUMP_ATTEMPTS} readings`;
    throw new KernelError(dump.request.description, EINTR, { extAck });
  }

  /** Waits for the requests under way, then closes the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
    this.#socket[Symbol.dispose]();
  }

  async #executeBatch(
    batch: readonly NetlinkRequest[],
    signal: AbortSignal | undefined,
    answers: Answers = { first: undefined, last: batch.length - 1 },
  ): Promise<readonly (KernelError | undefined)[]> {
    const first = this.#reserve(batch.length);
    await this.#send(batch, first, answers.last);
    const results = Array<KernelError | undefined>(batch.length).fill(undefined);
    for (;;) {
      for (const message of await this.#receive(() => this.#socket.take(), signal)) {
        const index = (message.sequence - first) >>> 0;
        const request = batch[index];
        // Another sequence number is an answer to something that was given up.
        if (request === undefined || message.type !== NLMSG_ERROR) continue;
        results[index] = decodeError(request.description, message);
        if (index === answers.last || index === answers.first) return results;
      }
    }
  }

  async #listOnce<T>(dump: Dump<T>, signal: AbortSignal | undefined): Promise<readonly T[] | undefined> {
    const sequence = this.#reserve(1);
    await this.#send([dump.request], sequence, 0);
    const items: T[] = [];
    let isInterrupted = false;
    let failure: Error | undefined;
    for (;;) {
      // The kernel makes the next part while the last is read, so reading may take its time too.
      for (const message of await this.#receive(() => this.#socket.read(), signal)) {
        if (message.sequence !== sequence) continue;
        isInterrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          failure ??= decodeError(dump.request.description, message);
          if (failure !== undefined) throw failure;
          return isInterrupted ? undefined : items;
        }
        try {
          const item = dump.decode(message);
          if (item !== undefined) items.push(item);
        } catch (error) {
          // Read to the end all the same: the kernel takes no second dump before the first one is done.
          failure ??= error instanceof Error ? error : new Error(String(error));
        }
      }
    }
  }

  /**
   * The kernel answers every request that fails, asked to or not, and works in the order of the messages. So the last one's
   * acknowledgement is enough: what was not answered by then has succeeded.
   */
  async #send(requests: readonly NetlinkRequest[], first: number, last: number): Promise<void> {
    const bytes = encodeMessages(
      requests.map(({ type, flags, body }, index) => ({
        type,
        flags: flags | NLM_F_REQUEST | (index === last ? NLM_F_ACK : 0),
        sequence: (first + index) >>> 0,
        portId: 0,
        body,
      })),
    );
    this.#trace?.("out", bytes);
    await this.#socket.send(bytes);
  }

  /** Answers are queued before `send` resolves, so the wait is for the case that a kernel differs. */
  async #receive(
    take: () => Uint8Array | undefined | Promise<Uint8Array | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<Iterable<NetlinkMessage>> {
    for (;;) {
      const bytes = await take();
      if (bytes !== undefined) {
        this.#trace?.("in", bytes);
        return decodeMessages(bytes);
      }
      if (!(await this.#socket.readable(signal))) signal?.throwIfAborted();
    }
  }

  #reserve(count: number): number {
    const first = this.#sequence + 1;
    this.#sequence = (this.#sequence + count) >>> 0;
    return first >>> 0;
  }

  #inTurn<T>(action: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const run = this.#turn.then(() => {
      signal?.throwIfAborted();
      if (this.#isClosed) throw new Error("Cannot use netlink connection: it is closed");
      return action();
    });
    this.#turn = run.catch(() => undefined);
    return run;
  }
}

/** One request at least. */
function nextBatch(requests: readonly NetlinkRequest[], start: number): readonly NetlinkRequest[] {
  let [end, size] = [start, 0];
  for (; end < requests.length && end - start < BATCH; end++) {
    size += NLMSG_HDRLEN + nlmsgAlign(requests[end]?.body.length ?? 0);
    if (end > start && size > BATCH_BYTES) break;
  }
  return requests.slice(start, end);
}
