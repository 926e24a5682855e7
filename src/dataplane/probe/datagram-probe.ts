// SPDX-License-Identifier: Apache-2.0
import { randomInt } from "node:crypto";
import { closeSync, readSync, writeSync } from "node:fs";
import { type Ip, familyOf } from "../../net/ip.ts";
import { AF_INET6, addressFamilyOf } from "../netlink/family.ts";
import { putU16be } from "../netlink/integer.ts";
import { KernelError, isKernelError } from "../netlink/kernel-error.ts";
import {
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_IPV6,
  SOL_SOCKET,
  connect,
  setsockopt,
  socket,
  whenReadable,
} from "../netlink/syscalls.ts";
import { sockaddrOf } from "./sockaddr.ts";

export interface DatagramProbe {
  /** The interface that it leaves by, whatever other routes there are. */
  readonly ifIndex: number;
  readonly to: Ip;
  /**
   * The interface has to compute the checksum, if it offers to. Otherwise there is none, which IPv6 does not allow (RFC 8200 section 8.1): there the
   * kernel computes it.
   */
  readonly isByCard: boolean;
}

const ANSWER_TIMEOUT_MS = 300;
/** Of the ports that nobody listens on for long (RFC 6335 section 6), a random one: it is closed, or another is the next time. */
const [FIRST_PORT, LAST_PORT] = [49_152, 65_535];
/** RFC 768 */
const UDP_HEADER_BYTES = 8;

// netinet/in.h: #define IPPROTO_UDP 17
const IPPROTO_UDP = 17;
// asm-generic/socket.h
/** #define SO_NO_CHECK 11: what is sent has no checksum (udp(7)). */
const SO_NO_CHECK = 11;
/** #define SO_BINDTOIFINDEX 62, of Linux 5.1 */
const SO_BINDTOIFINDEX = 62;
/** #define IPV6_CHECKSUM 7 (linux/in6.h): the kernel computes the checksum, by itself, and has it this far into the payload (RFC 3542 section 3.1). */
const IPV6_CHECKSUM = 7;

/**
 * Sends one datagram to a closed port, in the network namespace that the calling thread is in, and tells whether the other side says that the port is
 * unreachable (RFC 1122 section 3.2.2.1, RFC 4443 section 3.1): Linux looks at the checksum first. Throws `KernelError`, such as `ENETUNREACH`; rejects
 * with the signal's reason.
 */
export async function isAnswered(
  probe: DatagramProbe,
  { signal }: { readonly signal: AbortSignal },
): Promise<boolean> {
  const isRaw = !probe.isByCard && familyOf(probe.to) === 6;
  const fd = isRaw ? openRaw() : openDatagram(probe);
  try {
    setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, probe.ifIndex);
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    // Connected, it hears of its own packets' errors.
    connect(fd, sockaddrOf(probe.to, isRaw ? 0 : port));
    const payload = Uint8Array.of(0);
    writeSync(fd, isRaw ? datagram(port, payload) : payload);
    const until = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    let isTimeLeft: boolean;
    do {
      isTimeLeft = await whenReadable(fd, until);
      // Looked at when the time is over too: a process that is kept from running finds both at once.
      if (isRefused(fd)) return true;
    } while (isTimeLeft);
    signal.throwIfAborted();
    return false;
  } finally {
    closeSync(fd);
  }
}

function openDatagram({ to, isByCard }: DatagramProbe): number {
  const fd = socket(addressFamilyOf(to), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (!isByCard) setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, 1);
  return fd;
}

function openRaw(): number {
  const fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
  setsockopt(fd, SOL_IPV6, IPV6_CHECKSUM, 6);
  return fd;
}

/** RFC 768, from a port of the same number, and with nothing where the checksum is to be. */
function datagram(port: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(UDP_HEADER_BYTES + payload.length);
  putU16be(bytes, 0, port);
  putU16be(bytes, 2, port);
  putU16be(bytes, 4, bytes.length);
  bytes.set(payload, UDP_HEADER_BYTES);
  return bytes;
}

/** Whether the kernel has been told that nobody listens. Whatever else has come, as a raw socket gets all datagrams of the other side, is no answer. */
function isRefused(fd: number): boolean {
  try {
    for (;;) readSync(fd, new Uint8Array(1));
  } catch (thrown) {
    const error = KernelError.from("hear of a probe", thrown);
    if (isKernelError(error, "ECONNREFUSED")) return true;
    if (isKernelError(error, "EAGAIN")) return false;
    throw error;
  }
}
