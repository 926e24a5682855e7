// SPDX-License-Identifier: Apache-2.0
import { getU16, getU32, putU16, putU32 } from "./integer.ts";

/** One netlink message without its length, which the body's tells. */
export interface NetlinkMessage {
  /** What the message is about: `RTM_*` of rtnetlink, or `NLMSG_*` below. */
  readonly type: number;
  /** `NLM_F_*`. */
  readonly flags: number;
  /** Chosen by the one who asks; the kernel repeats it in every answer. */
  readonly sequence: number;
  /** The address of the socket; 0 is the kernel, and "fill in mine" when sending. */
  readonly portId: number;
  /** Everything after the header. Decoded messages share the buffer that they were decoded from. */
  readonly body: Uint8Array;
}

// Message types (linux/netlink.h).
// #define NLMSG_NOOP 0x1
export const NLMSG_NOOP = 1;
// #define NLMSG_ERROR 0x2
export const NLMSG_ERROR = 2;
// #define NLMSG_DONE 0x3
export const NLMSG_DONE = 3;

// #define NLM_F_REQUEST 0x01
export const NLM_F_REQUEST = 0x01;
// #define NLM_F_MULTI 0x02
export const NLM_F_MULTI = 0x02;
// #define NLM_F_ACK 0x04
export const NLM_F_ACK = 0x04;
// #define NLM_F_DUMP_INTR 0x10
export const NLM_F_DUMP_INTR = 0x10;

// Modifiers of a GET request.
// #define NLM_F_DUMP (NLM_F_ROOT|NLM_F_MATCH), which are 0x100 and 0x200
export const NLM_F_DUMP = 0x300;

// Modifiers of a NEW request.
// #define NLM_F_REPLACE 0x100
export const NLM_F_REPLACE = 0x100;
// #define NLM_F_EXCL 0x200
export const NLM_F_EXCL = 0x200;
// #define NLM_F_CREATE 0x400
export const NLM_F_CREATE = 0x400;
// #define NLM_F_APPEND 0x800
export const NLM_F_APPEND = 0x800;

// Flags of an acknowledgement.
// #define NLM_F_CAPPED 0x100
export const NLM_F_CAPPED = 0x100;
// #define NLM_F_ACK_TLVS 0x200
export const NLM_F_ACK_TLVS = 0x200;

// #define NLMSG_HDRLEN ((int) NLMSG_ALIGN(sizeof(struct nlmsghdr)))
export const NLMSG_HDRLEN = 16;

// #define NLMSG_ALIGN(len) ( ((len)+NLMSG_ALIGNTO-1) & ~(NLMSG_ALIGNTO-1) ), with NLMSG_ALIGNTO 4U
export function nlmsgAlign(length: number): number {
  return (length + 3) & ~3;
}

/** Puts the messages one behind the other, as one `write(2)` takes them. */
export function encodeMessages(messages: readonly NetlinkMessage[]): Uint8Array {
  const size = messages.reduce((sum, { body }) => sum + nlmsgAlign(NLMSG_HDRLEN + body.length), 0);
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const { type, flags, sequence, portId, body } of messages) {
    const length = NLMSG_HDRLEN + body.length;
    // struct nlmsghdr { __u32 nlmsg_len; __u16 nlmsg_type; __u16 nlmsg_flags; __u32 nlmsg_seq; __u32 nlmsg_pid; }
    putU32(bytes, offset, length);
    putU16(bytes, offset + 4, type);
    putU16(bytes, offset + 6, flags);
    putU32(bytes, offset + 8, sequence);
    putU32(bytes, offset + 12, portId);
    bytes.set(body, offset + NLMSG_HDRLEN);
    offset += nlmsgAlign(length);
  }
  return bytes;
}

/** The inverse of {@link encodeMessages}; throws `RangeError` where a message does not fit into the bytes. */
export function* decodeMessages(bytes: Uint8Array): Generator<NetlinkMessage, void, undefined> {
  for (let offset = 0; offset < bytes.length;) {
    const rest = bytes.length - offset;
    if (rest < NLMSG_HDRLEN)
      throw new RangeError(`Cannot decode netlink message: ${rest} bytes are no whole header`);
    const length = getU32(bytes, offset);
    if (length < NLMSG_HDRLEN || length > rest)
      throw new RangeError(`Cannot decode netlink message: length ${length}, with ${rest} bytes there`);
    yield {
      type: getU16(bytes, offset + 4),
      flags: getU16(bytes, offset + 6),
      sequence: getU32(bytes, offset + 8),
      portId: getU32(bytes, offset + 12),
      body: bytes.subarray(offset + NLMSG_HDRLEN, offset + length),
    };
    offset += nlmsgAlign(length);
  }
}

/** Throws `RangeError` where a body is too short for the fixed structure that it starts with. */
export function checkHeader(body: Uint8Array, size: number, name: string): void {
  if (body.length < size)
    throw new RangeError(`Cannot decode ${name}: want ${size} bytes, have ${body.length}`);
}
