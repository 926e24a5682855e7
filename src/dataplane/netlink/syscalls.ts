// SPDX-License-Identifier: Apache-2.0
// The one place where functions of the C library are called; Node has no counterpart to them.
import koffi from "koffi";
import { KernelError } from "./kernel-error.ts";

type ForeignFunction = (...args: unknown[]) => unknown;

/** The C library that the process already has. */
const libc = koffi.load(null);
const libcSocket: ForeignFunction = libc.func("int socket(int domain, int type, int protocol)");
const libcBind: ForeignFunction = libc.func("int bind(int fd, const void *address, uint32_t length)");
const libcConnect: ForeignFunction = libc.func("int connect(int fd, const void *address, uint32_t length)");
const libcSetsockopt: ForeignFunction = libc.func(
  "int setsockopt(int fd, int level, int name, const void *value, uint32_t length)",
);
const libcRecvmsg: ForeignFunction = libc.func("long recvmsg(int fd, void *message, int flags)");
const libcSetns: ForeignFunction = libc.func("int setns(int fd, int nstype)");
const libcAdjtimex: ForeignFunction = libc.func("int adjtimex(void *timex)");
/** Variable in C; the machines that Margay runs on pass a fixed number of integers in the same way. */
const libcSyscall: ForeignFunction = libc.func(
  "long syscall(long number, int command, void *attributes, uint32_t size)",
);

// sys/socket.h
// #define SOCK_STREAM 1
export const SOCK_STREAM = 1;
// #define SOCK_DGRAM 2
export const SOCK_DGRAM = 2;
// #define SOCK_RAW 3
export const SOCK_RAW = 3;
// #define SOCK_NONBLOCK 00004000
export const SOCK_NONBLOCK = 0o4000;
// #define SOCK_CLOEXEC 02000000
export const SOCK_CLOEXEC = 0o2000000;

// asm-generic/socket.h: #define SOL_SOCKET 1; linux/socket.h: #define SOL_IP 0, #define SOL_IPV6 41
export const SOL_SOCKET = 1;
export const SOL_IP = 0;
export const SOL_IPV6 = 41;

// #define CLONE_NEWNET 0x40000000 (linux/sched.h)
export const CLONE_NEWNET = 0x40000000;

// asm/unistd.h: #define __NR_bpf 321 on x64, 280 on arm64 (asm-generic/unistd.h)
const NR_BPF = process.arch === "x64" ? 321 : 280;

/** socket(2): a new descriptor, which the caller closes. Throws `KernelError`. */
export function socket(domain: number, type: number, protocol: number): number {
  return checked(`open socket of family ${domain}`, libcSocket(domain, type, protocol));
}

/** bind(2) to an address laid out as `struct sockaddr`. Throws `KernelError`. */
export function bind(fd: number, address: Uint8Array): void {
  checked("bind socket", libcBind(fd, address, address.length));
}

/** connect(2) to an address laid out as `struct sockaddr`, for a socket that need not wait for anybody. Throws `KernelError`. */
export function connect(fd: number, address: Uint8Array): void {
  checked("connect socket", libcConnect(fd, address, address.length));
}

/** setsockopt(2) for an option that is an `int`, or a structure. Throws `KernelError`. */
export function setsockopt(fd: number, level: number, name: number, value: number | Uint8Array): void {
  const bytes = typeof value === "number" ? new Uint8Array(Int32Array.of(value).buffer) : value;
  checked(
    `set socket option ${name} of level ${level}`,
    libcSetsockopt(fd, level, name, bytes, bytes.length),
  );
}

/** Where recvmsg(2) puts what it brings. */
export interface MessageBuffers {
  /** The sender's address, laid out as `struct sockaddr`. */
  readonly name: Uint8Array;
  readonly bytes: Uint8Array;
  /** Control messages (cmsg(3)). */
  readonly control: Uint8Array;
}

/** recvmsg(2) from a socket that does not wait: how much there is in `bytes` and in `control`. Throws `KernelError`. */
export function recvmsg(
  fd: number,
  { name, bytes, control }: MessageBuffers,
): { readonly length: number; readonly controlLength: number } {
  // struct iovec { void *iov_base; size_t iov_len; }
  const vector = BigUint64Array.of(addressOf(bytes), BigInt(bytes.length));
  // struct msghdr { void *msg_name; socklen_t msg_namelen; struct iovec *msg_iov; size_t msg_iovlen; void *msg_control;
  //   size_t msg_controllen; int msg_flags; }, each padded to eight octets on the machines that Margay runs on.
  const message = BigUint64Array.of(
    addressOf(name),
    BigInt(name.length),
    addressOf(new Uint8Array(vector.buffer)),
    1n,
    addressOf(control),
    BigInt(control.length),
    0n,
  );
  const length = checked("receive message", libcRecvmsg(fd, new Uint8Array(message.buffer), 0));
  return { length, controlLength: Number(message[5]) };
}

/** setns(2): moves the calling thread, and no other, to the namespace. Throws `KernelError`. */
export function setns(fd: number, type: number): void {
  checked("enter namespace", libcSetns(fd, type));
}

/**
 * bpf(2), for which the C library has no function: a descriptor or 0. Some commands write to the attributes. `op` is what the
 * call is for, as the `KernelError` that it throws says it.
 */
export function bpf(op: string, command: number, attributes: Uint8Array): number {
  return checked(op, libcSyscall(NR_BPF, command, attributes, attributes.length));
}

/** adjtimex(2) with a `struct timex`, which the kernel fills in: the state of the clock, `TIME_*`. Throws `KernelError`. */
export function adjtimex(timex: Uint8Array): number {
  return checked("read the clock's state", libcAdjtimex(timex));
}

/** Where the bytes lie, for a structure that points to them. They stay there for as long as the caller holds them. */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/**
 * Resolves true as soon as the descriptor has something to read, or an error to report, and false as soon as the signal
 * aborts. The event loop watches the descriptor; a read(2) that blocked in libuv's thread pool would keep one of its
 * few threads, and the process from ending. The descriptor must stay open until this resolves.
 */
export function whenReadable(fd: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted === true) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const finish = (readable: boolean): void => {
    signal?.removeEventListener("abort", abort);
    handle.close();
    resolve(readable);
  };
  const abort = (): void => {
    finish(false);
  };
  // Koffi calls back outside of Node's callback scope, where nobody runs the promise jobs; an immediate does. A handle
  // per wait, because libuv stops one for good that reports an error, as a netlink socket does after an overrun.
  const handle = koffi.node.poll(fd, { readable: true }, () => {
    setImmediate(finish, true);
  });
  signal?.addEventListener("abort", abort);
  return promise;
}

function checked(op: string, result: unknown): number {
  if (typeof result !== "number") throw new TypeError(`Cannot ${op}: the C library returned no number`);
  if (result < 0) throw new KernelError(op, koffi.errno());
  return result;
}
