// SPDX-License-Identifier: Apache-2.0
import {
  getU16,
  getU16be,
  getU32,
  getU32be,
  getU64,
  getU8,
  putU16,
  putU16be,
  putU32,
  putU32be,
  putU8,
} from "./integer.ts";
import { nlmsgAlign } from "./message.ts";

// struct nlattr { __u16 nla_len; __u16 nla_type; }
const NLA_HDRLEN = 4;
// #define NLA_F_NESTED (1 << 15)
const NLA_F_NESTED = 0x8000;
// #define NLA_TYPE_MASK ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER), the latter being 1 << 14
const NLA_TYPE_MASK = 0x3fff;
/** `nla_len` has 16 bits. */
const MAX_LENGTH = 0xffff;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Builds a message body: a fixed structure, then attributes in the order of the calls. */
export class AttributeEncoder {
  /** Up to 64 bytes, V8 keeps an array on its own heap, which makes one per request cheap. */
  #bytes = new Uint8Array(64);
  #length = 0;

  /** `header` is the fixed structure that the attributes follow. */
  constructor(header: Uint8Array = new Uint8Array(0)) {
    this.raw(header);
  }

  u8(type: number, value: number): this {
    const at = this.#open(type, 1);
    putU8(this.#bytes, at, value);
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#open(type, 2);
    putU16(this.#bytes, at, value);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#open(type, 4);
    putU32(this.#bytes, at, value);
    return this;
  }

  /** In network byte order, as ports and IPv4 addresses are. */
  u16be(type: number, value: number): this {
    const at = this.#open(type, 2);
    putU16be(this.#bytes, at, value);
    return this;
  }

  /** In network byte order. */
  u32be(type: number, value: number): this {
    const at = this.#open(type, 4);
    putU32be(this.#bytes, at, value);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#open(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** The text in UTF-8 with the terminating zero that the kernel's `NLA_STRING` may have. */
  string(type: number, text: string): this {
    return this.bytes(type, textEncoder.encode(`${text}\0`));
  }

  /** An attribute that holds what `fill` encodes. */
  nested(type: number, fill: (inner: AttributeEncoder) => void): this {
    const inner = new AttributeEncoder();
    fill(inner);
    return this.bytes(type | NLA_F_NESTED, inner.finish());
  }

  /** A structure without an attribute header, such as the one `VETH_INFO_PEER` starts with. */
  raw(bytes: Uint8Array): this {
    this.#reserve(nlmsgAlign(bytes.length));
    this.#bytes.set(bytes, this.#length);
    this.#length += nlmsgAlign(bytes.length);
    return this;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Writes the header of an attribute, and returns where its value goes. May move everything to a larger buffer. */
  #open(type: number, size: number): number {
    const length = NLA_HDRLEN + size;
    if (length > MAX_LENGTH)
      throw new RangeError(`Cannot encode attribute ${type}: ${size} bytes do not fit into it`);
    this.#reserve(nlmsgAlign(length));
    const at = this.#length;
    putU16(this.#bytes, at, length);
    putU16(this.#bytes, at + 2, type);
    this.#length += nlmsgAlign(length);
    return at + NLA_HDRLEN;
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const grown = new Uint8Array(2 * (this.#length + size));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/**
 * A cursor over attributes: `while (attributes.next()) switch (attributes.type) …`. Every method throws
 * `RangeError` where the bytes do not hold what it is asked for; nothing outside them is ever read.
 */
export class AttributeDecoder {
  readonly #bytes: Uint8Array;
  #nextAt: number;
  #at = 0;
  #size = 0;
  #type = 0;

  /** `offset` is the size of the fixed structure before the attributes. */
  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#nextAt = nlmsgAlign(offset);
  }

  /** Moves to the next attribute; false where there is none. */
  next(): boolean {
    const rest = this.#bytes.length - this.#nextAt;
    if (rest <= 0) return false;
    if (rest < NLA_HDRLEN) throw new RangeError(`Cannot decode attribute: ${rest} bytes are no whole header`);
    const length = getU16(this.#bytes, this.#nextAt);
    if (length < NLA_HDRLEN || length > rest)
      throw new RangeError(`Cannot decode attribute: length ${length}, with ${rest} bytes there`);
    this.#type = getU16(this.#bytes, this.#nextAt + 2) & NLA_TYPE_MASK;
    this.#at = this.#nextAt + NLA_HDRLEN;
    this.#size = length - NLA_HDRLEN;
    this.#nextAt += nlmsgAlign(length);
    return true;
  }

  /** The type of the current attribute without its flag bits. */
  get type(): number {
    return this.#type;
  }

  u8(): number {
    return getU8(this.#bytes, this.#want(1));
  }

  u16(): number {
    return getU16(this.#bytes, this.#want(2));
  }

  u32(): number {
    return getU32(this.#bytes, this.#want(4));
  }

  /** Exact up to 2 ** 53. */
  u64(): number {
    return getU64(this.#bytes, this.#want(8));
  }

  /** In network byte order. */
  u16be(): number {
    return getU16be(this.#bytes, this.#want(2));
  }

  /** In network byte order. */
  u32be(): number {
    return getU32be(this.#bytes, this.#want(4));
  }

  /** The value as it stands, sharing the message's buffer. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + this.#size);
  }

  /** The text up to the terminating zero, or all of it where there is none. */
  string(): string {
    const bytes = this.bytes();
    const end = bytes.indexOf(0);
    return textDecoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** A cursor over the attributes inside the current one, after `offset` bytes of a fixed structure. */
  nested(offset = 0): AttributeDecoder {
    return new AttributeDecoder(this.bytes(), offset);
  }

  #want(size: number): number {
    if (this.#size !== size)
      throw new RangeError(`Cannot decode attribute ${this.#type}: want ${size} bytes, have ${this.#size}`);
    return this.#at;
  }
}
