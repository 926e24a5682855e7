// SPDX-License-Identifier: Apache-2.0
import { closeSync, read, readSync, write } from "node:fs";
import { promisify } from "node:util";
import { KernelError, isKernelError } from "./kernel-error.ts";
import { putU16, putU32 } from "./integer.ts";
import {
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  bind,
  setsockopt,
  socket,
  whenReadable,
} from "./syscalls.ts";

/** The seam below the protocol: datagrams to and from the kernel. Errors are `KernelError`s. */
export interface NetlinkSocket extends Disposable {
  /** Sends one buffer of messages. The kernel has worked through all of them, and queued its answers, when this resolves. */
  send(bytes: Uint8Array): Promise<void>;
  /** Takes the next datagram from the queue, if there is one; valid until the next `take` or `read`. `ENOBUFS`: some were lost. */
  take(): Uint8Array | undefined;
  /** As `take`, where the kernel may have to work for it: the event loop goes on meanwhile. */
  read(): Promise<Uint8Array | undefined>;
  /** Resolves true once there is something to take, false once the signal aborts. */
  readable(signal?: AbortSignal): Promise<boolean>;
}

export interface SocketOptions {
  /** @default NETLINK_ROUTE */
  readonly protocol?: number;
  /** Bit set of the multicast groups to listen to. @default none */
  readonly groups?: number;
  /** How much may wait to be taken, in the kernel's count, which is several times the length of the messages. */
  readonly receiveBufferBytes: number;
}

// linux/socket.h, linux/netlink.h
// #define AF_NETLINK 16
const AF_NETLINK = 16;
// #define NETLINK_ROUTE 0
const NETLINK_ROUTE = 0;
// #define NETLINK_NETFILTER 12
export const NETLINK_NETFILTER = 12;
// #define NETLINK_GENERIC 16
export const NETLINK_GENERIC = 16;
// #define SO_RCVBUF 8, #define SO_RCVBUFFORCE 33 (asm-generic/socket.h)
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
// #define SOL_NETLINK 270
const SOL_NETLINK = 270;
// #define NETLINK_CAP_ACK 10: an error does not repeat the request. Linux 4.3.
const NETLINK_CAP_ACK = 10;
// #define NETLINK_EXT_ACK 11: an error comes with words. Linux 4.12.
const NETLINK_EXT_ACK = 11;
// #define NETLINK_GET_STRICT_CHK 12: a dump is filtered by what its request says. Linux 4.20.
const NETLINK_GET_STRICT_CHK = 12;

/**
 * The kernel makes the datagrams of a dump at most 32 KiB long for a buffer of that size or more, and longer only where
 * one single message is (a network card with a hundred virtual functions).
 */
const BUFFER_BYTES = 128 * 1024;

const writeAsync = promisify(write);
const readAsync = promisify(read);

/** Opens a netlink socket in the network namespace that the calling thread is in. */
export function openNetlinkSocket({
  protocol = NETLINK_ROUTE,
  groups = 0,
  receiveBufferBytes,
}: SocketOptions): NetlinkSocket {
  const fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  try {
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK])
      setsockopt(fd, SOL_NETLINK, option, 1);
    setReceiveBuffer(fd, receiveBufferBytes);
    bind(fd, sockaddrNl(groups));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return createSocket(fd);
}

function createSocket(fd: number): NetlinkSocket {
  const buffer = new Uint8Array(BUFFER_BYTES);
  let isOpen = true;
  return {
    async send(bytes) {
      try {
        // In the thread pool: a request waits for the kernel's RTNL lock, for as long as others hold it.
        await writeAsync(fd, bytes, 0, bytes.length, null);
      } catch (error) {
        throw KernelError.from("write to netlink socket", error);
      }
    },
    take: () => datagram(buffer, () => readSync(fd, buffer)),
    read: async () => {
      const result = await readAsync(fd, buffer, 0, buffer.length, null).catch((error: unknown) => ({
        error,
      }));
      return datagram(buffer, () => {
        if ("error" in result) throw result.error;
        return result.bytesRead;
      });
    },
    readable: (signal) => whenReadable(fd, signal),
    [Symbol.dispose]() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/** What one read(2) brought; `undefined` where nothing is queued. */
function datagram(buffer: Uint8Array, readLength: () => number): Uint8Array | undefined {
  const op = "read from netlink socket";
  try {
    const length = readLength();
    // read(2) drops what does not fit without a word.
    if (length === buffer.length) throw new RangeError(`Cannot ${op}: a datagram is over ${length} bytes`);
    return buffer.subarray(0, length);
  } catch (thrown) {
    const error = KernelError.from(op, thrown);
    if (isKernelError(error, "EAGAIN")) return undefined;
    throw error;
  }
}

/** Beyond the system's limit where the process may (CAP_NET_ADMIN), else up to it. */
function setReceiveBuffer(fd: number, bytes: number): void {
  try {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes);
  } catch (error) {
    if (!isKernelError(error, "EPERM")) throw error;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  }
}

function sockaddrNl(groups: number): Uint8Array {
  // struct sockaddr_nl { __kernel_sa_family_t nl_family; unsigned short nl_pad; __u32 nl_pid; __u32 nl_groups; }
  const address = new Uint8Array(12);
  putU16(address, 0, AF_NETLINK);
  putU32(address, 8, groups);
  return address;
}
