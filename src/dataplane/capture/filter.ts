// SPDX-License-Identifier: Apache-2.0
// Programs of the classic BPF for packet sockets (Documentation/networking/filter.rst of the kernel): which packets are copied to user space.
import { putU16, putU32 } from "../netlink/integer.ts";

/** One field of a packet, counted from its network header whatever device it is on, and the value that it must have. */
export interface FieldTest {
  /** Octets from the beginning of the network header. */
  readonly offset: number;
  readonly bytes: 1 | 2 | 4;
  /** Bits that count. @default all */
  readonly mask?: number;
  readonly value: number;
}

/** Packets of one kind by what their frames say (linux/if_ether.h), and by fields that all must have their values. */
export interface Pattern {
  readonly etherType: number;
  /** Tested in this order: a packet that is too short for a field passes no later pattern of its kind either. */
  readonly fields: readonly FieldTest[];
}

// linux/bpf_common.h, linux/filter.h
const BPF_LD = 0x00;
const BPF_ABS = 0x20;
const SIZES = { 1: 0x10, 2: 0x08, 4: 0x00 } as const;
const BPF_ALU_AND_K = 0x54;
const BPF_JMP_JEQ_K = 0x15;
const BPF_RET_K = 0x06;
/** #define SKF_NET_OFF (-0x100000): loads count from the network header. */
const SKF_NET_OFF = -0x10_0000;
/** #define SKF_AD_OFF (-0x1000) and #define SKF_AD_PROTOCOL 0: what the frame says it carries. */
const SKF_AD_PROTOCOL = -0x1000;

/** `struct sock_filter { __u16 code; __u8 jt; __u8 jf; __u32 k; }` */
export const INSTRUCTION_BYTES = 8;

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** How many instructions are left out where a comparison holds not. */
  readonly jf?: number;
}

/**
 * The program that lets packets pass that one of the patterns fits, up to `snapBytes` octets of each. Patterns are tried in their order, and a packet that
 * ends before a field that is asked for passes none: so those for short packets come first. No pattern may have more than 100 fields.
 */
export function encodeFilter(patterns: readonly Pattern[], snapBytes: number): Uint8Array {
  const nothing: Instruction = { code: BPF_RET_K, k: 0 };
  const program = [...patterns.flatMap((pattern) => encodePattern(pattern, snapBytes)), nothing];
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  program.forEach(({ code, k, jf = 0 }: Instruction, index) => {
    const at = index * INSTRUCTION_BYTES;
    putU16(bytes, at, code);
    bytes[at + 3] = jf;
    putU32(bytes, at + 4, k);
  });
  return bytes;
}

/** A field that differs leads behind the pattern; jumps reach 255 instructions. */
function encodePattern({ etherType, fields }: Pattern, snapBytes: number): readonly Instruction[] {
  const isOfKind = [
    { code: BPF_LD | BPF_ABS | SIZES[4], k: SKF_AD_PROTOCOL },
    { code: BPF_JMP_JEQ_K, k: etherType },
  ];
  const tests = fields.map(({ offset, bytes, mask, value }) => [
    { code: BPF_LD | BPF_ABS | SIZES[bytes], k: SKF_NET_OFF + offset },
    ...(mask === undefined ? [] : [{ code: BPF_ALU_AND_K, k: mask }]),
    { code: BPF_JMP_JEQ_K, k: value },
  ]);
  const steps = [...isOfKind, ...tests.flat()];
  const length = steps.length + 1;
  const jumping = (instruction: Instruction, index: number): Instruction =>
    instruction.code === BPF_JMP_JEQ_K ? { ...instruction, jf: length - index - 1 } : instruction;
  return [...steps.map(jumping), { code: BPF_RET_K, k: snapBytes }];
}
