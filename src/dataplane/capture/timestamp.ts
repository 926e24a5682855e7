// SPDX-License-Identifier: Apache-2.0
// When packets passed, as the kernel has it.
import { randomInt } from "node:crypto";
import { closeSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { parseIp } from "../../net/ip.ts";
import { getU32, getU64 } from "../netlink/integer.ts";
import { KernelError } from "../netlink/kernel-error.ts";
import {
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  bind,
  connect,
  recvmsg,
  setsockopt,
  socket,
} from "../netlink/syscalls.ts";
import { sockaddrOf } from "../probe/sockaddr.ts";

// linux/socket.h: #define AF_INET 2
const AF_INET = 2;
// asm-generic/socket.h: #define SO_TIMESTAMPNS_OLD 35; SCM_TIMESTAMPNS_OLD is the same
const SO_TIMESTAMPNS = 35;
const CMSG_HEADER_BYTES = 16;
/** Room for the control message. */
export const TIMESTAMP_BYTES = 64;

const PORT = 9;
const PATIENCE_MS = 5;
const ATTEMPTS = 200;

/** Has each packet that is read from the socket come with its time. */
export function askForTimestamps(fd: number): void {
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
}

/** Nanoseconds since the Unix epoch: the `struct timespec` of the control message, which must be the first. */
export function timestampOf(control: Uint8Array): bigint {
  // struct cmsghdr { size_t cmsg_len; int cmsg_level, cmsg_type; }
  if (control.length < CMSG_HEADER_BYTES + 16 || getU32(control, 12) !== SO_TIMESTAMPNS)
    throw new RangeError("Cannot read time of captured packet: the kernel did not say it");
  const seconds = BigInt(getU64(control, CMSG_HEADER_BYTES));
  return seconds * 1_000_000_000n + BigInt(getU32(control, CMSG_HEADER_BYTES + 8));
}

/**
 * Resolves once packets have the time at which they pass, or after a second where that cannot be found out. The kernel begins with it some time after the first
 * socket has asked, from a workqueue (`net_enable_timestamp()`, net/core/dev.c). Until then a packet has the time at which it is read
 * (`__sock_recv_timestamp()`, net/socket.c), by which those of several sockets have no order. Needs a socket that has asked, and stays open.
 */
export async function whenStamped(): Promise<void> {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    askForTimestamps(fd);
    // Of its own, so that several may ask at once.
    const self = sockaddrOf(parseIp(`127.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`), PORT);
    bind(fd, self);
    connect(fd, self);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) if (await isStamped(fd)) return;
  } catch (error) {
    // Without a loopback interface that is up, there is no way to tell.
    if (!(KernelError.from("send to oneself", error) instanceof KernelError)) throw error;
  } finally {
    closeSync(fd);
  }
}

/** Whether the time of a packet that waits to be read is nearer to its sending than to its reading. */
async function isStamped(fd: number): Promise<boolean> {
  const sentMs = Date.now();
  writeSync(fd, Uint8Array.of(0));
  await delay(PATIENCE_MS);
  const control = new Uint8Array(TIMESTAMP_BYTES);
  const { controlLength } = recvmsg(fd, { name: new Uint8Array(16), bytes: new Uint8Array(1), control });
  const readMs = Date.now();
  const stampMs = Number(timestampOf(control.subarray(0, controlLength)) / 1_000_000n);
  return stampMs - sentMs < readMs - stampMs;
}
