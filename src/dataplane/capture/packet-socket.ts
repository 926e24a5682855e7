// SPDX-License-Identifier: Apache-2.0
// Packet sockets (packet(7)): what passes the interfaces of one network namespace. The filter is attached before the socket is bound, so of all that
// passes, only what it lets through is ever copied.
import { closeSync } from "node:fs";
import { KernelError, isKernelError } from "../netlink/kernel-error.ts";
import { getI32, getU16, getU8, putU16, putU16be } from "../netlink/integer.ts";
import {
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_SOCKET,
  addressOf,
  bind,
  recvmsg,
  setsockopt,
  socket,
  whenReadable,
} from "../netlink/syscalls.ts";
import { INSTRUCTION_BYTES } from "./filter.ts";
import { TIMESTAMP_BYTES, askForTimestamps, timestampOf } from "./timestamp.ts";

// linux/socket.h: #define AF_PACKET 17
const AF_PACKET = 17;
// linux/if_ether.h: #define ETH_P_ALL 0x0003
const ETH_P_ALL = 0x0003;
// asm-generic/socket.h: #define SO_ATTACH_FILTER 26
const SO_ATTACH_FILTER = 26;
// linux/if_packet.h: #define PACKET_OUTGOING 4
const PACKET_OUTGOING = 4;
// linux/if_arp.h: ARPHRD_ETHER 1, ARPHRD_LOOPBACK 772; others have no header of layer 2 that is known here.
const ETHERNETS: readonly number[] = [1, 772];

const SOCKADDR_LL_BYTES = 20;
const PACKET_BUFFER_BYTES = 2048;

/** A packet at one interface. */
export interface CapturedPacket {
  readonly ifIndex: number;
  readonly direction: "in" | "out";
  /** Nanoseconds since the Unix epoch, by the kernel. */
  readonly atNs: bigint;
  /** What `bytes` begins with. */
  readonly start: "ethernet" | "ip";
  /** As far as the filter has it copied. */
  readonly bytes: Uint8Array;
}

/** Hears what the filter lets through, on every interface of one network namespace. */
export interface PacketSocket extends Disposable {
  /** What has passed since the last call, in its order. Throws `KernelError`. */
  take(): readonly CapturedPacket[];
  /** Resolves true once there is something to take, false once the signal aborts. */
  readable(signal: AbortSignal): Promise<boolean>;
}

/** Opens it in the network namespace that the calling thread is in; `filter` as `encodeFilter` makes it. Needs CAP_NET_RAW. Throws `KernelError`. */
export function openPacketSocket(filter: Uint8Array): PacketSocket {
  // Of no protocol, it hears nothing before it is bound to one.
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, sockFprog(filter));
    askForTimestamps(fd);
    bind(fd, sockaddrLl());
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return new KernelPacketSocket(fd);
}

class KernelPacketSocket implements PacketSocket {
  readonly #fd: number;
  readonly #name = new Uint8Array(SOCKADDR_LL_BYTES);
  readonly #bytes = new Uint8Array(PACKET_BUFFER_BYTES);
  readonly #control = new Uint8Array(TIMESTAMP_BYTES);

  constructor(fd: number) {
    this.#fd = fd;
  }

  take(): readonly CapturedPacket[] {
    const packets: CapturedPacket[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) packets.push(next);
    return packets;
  }

  readable(signal: AbortSignal): Promise<boolean> {
    return whenReadable(this.#fd, signal);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #next(): CapturedPacket | undefined {
    const [name, bytes, control] = [this.#name, this.#bytes, this.#control];
    try {
      const { length, controlLength } = recvmsg(this.#fd, { name, bytes, control });
      // struct sockaddr_ll { unsigned short sll_family; __be16 sll_protocol; int sll_ifindex; unsigned short sll_hatype;
      //   unsigned char sll_pkttype, sll_halen, sll_addr[8]; }
      return {
        ifIndex: getI32(name, 4),
        direction: getU8(name, 10) === PACKET_OUTGOING ? "out" : "in",
        atNs: timestampOf(control.subarray(0, controlLength)),
        start: ETHERNETS.includes(getU16(name, 8)) ? "ethernet" : "ip",
        bytes: bytes.slice(0, length),
      };
    } catch (thrown) {
      const error = KernelError.from("receive a captured packet", thrown);
      if (isKernelError(error, "EAGAIN")) return undefined;
      throw error;
    }
  }
}

function sockFprog(filter: Uint8Array): Uint8Array {
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
  const bytes = new Uint8Array(16);
  putU16(bytes, 0, filter.length / INSTRUCTION_BYTES);
  new DataView(bytes.buffer).setBigUint64(8, addressOf(filter), true);
  return bytes;
}

/** Of every interface, for interface 0 is none. */
function sockaddrLl(): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_LL_BYTES);
  putU16(bytes, 0, AF_PACKET);
  putU16be(bytes, 2, ETH_P_ALL);
  return bytes;
}
