// SPDX-License-Identifier: Apache-2.0
import { getU32, putU32 } from "../netlink/integer.ts";
import { addressOf, bpf } from "../netlink/syscalls.ts";

/** #define BPF_OBJ_NAME_LEN 16U (linux/bpf.h), the terminating zero included. */
const BPF_OBJ_NAME_LEN = 16;

/** `union bpf_attr` for one call of bpf(2), or a structure it points to: numbers at the offsets that linux/bpf.h has. */
export class BpfAttributes {
  readonly #bytes: Uint8Array;
  /** What the structure points to must not be collected before the call. */
  readonly #held: Uint8Array[] = [];

  /** What is not set is zero, which the kernel takes for "not given". */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
  }

  u32(offset: number, value: number): this {
    putU32(this.#bytes, offset, value);
    return this;
  }

  u64(offset: number, value: bigint): this {
    putU32(this.#bytes, offset, Number(value & 0xffff_ffffn));
    putU32(this.#bytes, offset + 4, Number(value >> 32n));
    return this;
  }

  /** The address of bytes, which the kernel reads or writes. */
  pointer(offset: number, target: Uint8Array): this {
    this.#held.push(target);
    return this.u64(offset, addressOf(target));
  }

  /** `char name[16]`. */
  name(offset: number, name: string): this {
    putName(this.#bytes, offset, name);
    return this;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** Puts the address of this structure into another one. */
  pointTo(outer: BpfAttributes, offset: number): void {
    outer.pointer(offset, this.#bytes);
  }

  /** Reads back what the kernel has written. */
  getU32(offset: number): number {
    return getU32(this.#bytes, offset);
  }

  getName(offset: number): string {
    const name = this.#bytes.subarray(offset, offset + BPF_OBJ_NAME_LEN);
    const end = name.indexOf(0);
    return Buffer.from(end < 0 ? name : name.subarray(0, end)).toString("latin1");
  }

  /** Makes the call: a descriptor or 0. Throws `KernelError`, which says `op`. */
  call(op: string, command: number): number {
    try {
      return bpf(op, command, this.#bytes);
    } finally {
      this.#held.length = 0;
    }
  }
}

function putName(bytes: Uint8Array, offset: number, name: string): void {
  // What the kernel accepts since Linux 5.4.
  if (!/^[A-Za-z0-9_.]+$/.test(name) || name.length >= BPF_OBJ_NAME_LEN)
    throw new SyntaxError(
      `Cannot name BPF object "${name}": want up to ${BPF_OBJ_NAME_LEN - 1} letters, digits, "_" and "."`,
    );
  bytes.set(Buffer.from(name, "latin1"), offset);
}
