// SPDX-License-Identifier: Apache-2.0
import { randomInt } from "node:crypto";
import { closeSync, readSync, writeSync } from "node:fs";
import type { Ipv4 } from "../../net/ipv4.ts";
import { KernelError, isKernelError } from "../netlink/kernel-error.ts";
import {
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  connect,
  setsockopt,
  socket,
  whenReadable,
} from "../netlink/syscalls.ts";
import { AF_INET } from "../netlink/family.ts";
import { sockaddrOf } from "./sockaddr.ts";

export interface DatagramProbe {
  /** The interface that it leaves by, whatever other routes there are. */
  readonly ifIndex: number;
  readonly to: Ipv4;
  /** With a checksum, it is the interface that has to compute it, if it offers to. */
  readonly hasChecksum: boolean;
}

const ANSWER_TIMEOUT_MS = 300;
/** Of the ports that nobody listens on for long (RFC 6335 section 6), a random one: it is closed, or another is the next time. */
const [FIRST_PORT, LAST_PORT] = [49_152, 65_535];

// asm-generic/socket.h
// #define SOL_SOCKET 1
const SOL_SOCKET = 1;
/** #define SO_NO_CHECK 11: what is sent has no checksum (udp(7)). */
const SO_NO_CHECK = 11;
/** #define SO_BINDTOIFINDEX 62, of Linux 5.1 */
const SO_BINDTOIFINDEX = 62;

/**
 * Sends one datagram to a closed port, in the network namespace that the calling thread is in, and tells whether the other side says that the port is
 * unreachable (RFC 1122 section 3.2.2.1): Linux looks at the checksum first. Throws `KernelError`, such as `ENETUNREACH`; rejects with the
 * signal's reason.
 */
export async function isAnswered(
  { ifIndex, to, hasChecksum }: DatagramProbe,
  { signal }: { readonly signal: AbortSignal },
): Promise<boolean> {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, ifIndex);
    if (!hasChecksum) setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, 1);
    // Connected, it hears of its own packets' errors.
    connect(fd, sockaddrOf(to, randomInt(FIRST_PORT, LAST_PORT + 1)));
    writeSync(fd, Uint8Array.of(0));
    await whenReadable(fd, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]));
    signal.throwIfAborted();
    return isRefused(fd);
  } finally {
    closeSync(fd);
  }
}

/** Whether the kernel has been told that nobody listens. */
function isRefused(fd: number): boolean {
  try {
    readSync(fd, new Uint8Array(1));
    return true;
  } catch (thrown) {
    const error = KernelError.from("hear of a probe", thrown);
    if (isKernelError(error, "ECONNREFUSED")) return true;
    if (isKernelError(error, "EAGAIN")) return false;
    throw error;
  }
}
