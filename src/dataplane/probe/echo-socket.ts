// SPDX-License-Identifier: Apache-2.0
import { closeSync, readSync, writeSync } from "node:fs";
import { randomInt } from "node:crypto";
import { type Family, type Ip, familyOf } from "../../net/ip.ts";
import { addressFamily } from "../netlink/family.ts";
import { KernelError, isKernelError } from "../netlink/kernel-error.ts";
import {
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  connect,
  setsockopt,
  socket,
  whenReadable,
} from "../netlink/syscalls.ts";
import { forbidFragments } from "./forbid-fragments.ts";
import { ICMP_PROTOCOLS, decodeEchoReply, encodeEcho } from "./icmp-echo.ts";
import { sockaddrOf } from "./sockaddr.ts";

/** What became of a packet. */
export type Fate =
  | { readonly kind: "answered" }
  /** Some device on the way, or this node's own, says that it is too large. */
  | { readonly kind: "tooLarge" }
  | { readonly kind: "lost"; readonly reason: string };

export interface SendOptions {
  readonly signal: AbortSignal;
  /** How long to wait for the answer. @default far longer than packets travel between nodes of one cluster */
  readonly timeoutMs?: number;
}

/** Asks one address for echoes, by packets that nobody may fragment. */
export interface EchoSocket extends Disposable {
  /** Sends one packet of the length in octets, and waits for what becomes of it. Rejects with the signal's reason. */
  send(packetBytes: number, options: SendOptions): Promise<Fate>;
}

/** Far longer than packets travel between nodes of one cluster. */
const ANSWER_TIMEOUT_MS = 300;
/** The longest packet of IPv4 (RFC 791 section 3.1). */
const MAX_PACKET_BYTES = 65_535;

// #define SOL_RAW 255, #define ICMP_FILTER 1 (linux/icmp.h): a set bit keeps messages of that type away.
const SOL_RAW = 255;
const ICMP_FILTER = 1;
/** All but ICMP_ECHOREPLY 0. */
const ALL_BUT_REPLIES = ~1;

/** Opens it in the network namespace that the calling thread is in. Throws `KernelError`, `ENETUNREACH` where no route leads to the address. */
export function openEchoSocket(address: Ip): EchoSocket {
  const family = familyOf(address);
  // Unlike a socket of ping's own kind (SOCK_DGRAM), it asks nothing of net.ipv4.ping_group_range.
  const fd = socket(addressFamily(family), SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, ICMP_PROTOCOLS[family]);
  try {
    forbidFragments(fd, family);
    if (family === 4) setsockopt(fd, SOL_RAW, ICMP_FILTER, ALL_BUT_REPLIES);
    // Connected, it hears of its own packets' errors.
    connect(fd, sockaddrOf(address));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return new RawEchoSocket(fd, family);
}

class RawEchoSocket implements EchoSocket {
  readonly #fd: number;
  readonly #family: Family;
  readonly #identifier = randomInt(0x1_0000);
  readonly #buffer = new Uint8Array(MAX_PACKET_BYTES);
  #sequence = 0;

  constructor(fd: number, family: Family) {
    this.#fd = fd;
    this.#family = family;
  }

  async send(packetBytes: number, { signal, timeoutMs = ANSWER_TIMEOUT_MS }: SendOptions): Promise<Fate> {
    this.#forget();
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const id = { identifier: this.#identifier, sequence: this.#sequence };
    const echo = encodeEcho(id, packetBytes, this.#family);
    try {
      writeSync(this.#fd, echo);
      return await this.#answer(signal, timeoutMs);
    } catch (thrown) {
      const error = KernelError.from("send a probe", thrown);
      if (isKernelError(error, "EMSGSIZE")) return { kind: "tooLarge" };
      if (error instanceof KernelError) return { kind: "lost", reason: error.message };
      throw error;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  async #answer(signal: AbortSignal, timeoutMs: number): Promise<Fate> {
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    let isTimeLeft: boolean;
    do {
      isTimeLeft = await whenReadable(this.#fd, until);
      // Looked at when the time is over too: a process that is kept from running finds both at once.
      if (this.#hasAnswer()) return { kind: "answered" };
    } while (isTimeLeft);
    signal.throwIfAborted();
    return { kind: "lost", reason: "no answer" };
  }

  /** Takes what has come, up to the answer to the last packet. */
  #hasAnswer(): boolean {
    for (let packet = this.#take(); packet !== undefined; packet = this.#take()) {
      const reply = decodeEchoReply(packet, this.#family);
      if (reply?.identifier === this.#identifier && reply.sequence === this.#sequence) return true;
    }
    return false;
  }

  /** Throws what the kernel reports of a packet, such as EMSGSIZE. */
  #take(): Uint8Array | undefined {
    try {
      return this.#buffer.subarray(0, readSync(this.#fd, this.#buffer));
    } catch (thrown) {
      const error = KernelError.from("receive an answer", thrown);
      if (isKernelError(error, "EAGAIN")) return undefined;
      throw error;
    }
  }

  /** An error that is still to be reported is of a packet before; answers tell which they are of. */
  #forget(): void {
    try {
      while (this.#take() !== undefined);
    } catch {
      // There is one at most.
    }
  }
}
