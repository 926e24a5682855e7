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

/** Fields that all must have their values, in this order: a packet that is too short for a field passes no later one either. */
export type Pattern = readonly FieldTest[];

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
const ETH_P_IP = 0x0800;

/** `struct sock_filter { __u16 code; __u8 jt; __u8 jf; __u32 k; }` */
export const INSTRUCTION_BYTES = 8;

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** How many instructions are left out where a comparison holds not. */
  readonly jf?: number;
}

/**
 * The program that lets IPv4 packets pass that one of the patterns fits, up to `snapBytes` octets of each. Patterns are tried in their order, and a packet that
 * ends before a field that is asked for passes none: so those for short packets come first.
 */
export function encodeFilter(patterns: readonly Pattern[], snapBytes: number): Uint8Array {
  const nothing: Instruction = { code: BPF_RET_K, k: 0 };
  const all = patterns.flatMap((pattern) => encodePattern(pattern, snapBytes));
  const isIpv4 = [
    { code: BPF_LD | BPF_ABS | SIZES[4], k: SKF_AD_PROTOCOL },
    { code: BPF_JMP_JEQ_K, k: ETH_P_IP, jf: 1 },
  ];
  // A jump reaches 255 instructions, so the end for what is no IPv4 stands right here, behind one that leads around it.
  const program = [...isIpv4, { code: BPF_JMP_JA, k: 1 }, nothing, ...all, nothing];
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  program.forEach(({ code, k, jf = 0 }: Instruction, index) => {
    const at = index * INSTRUCTION_BYTES;
    putU16(bytes, at, code);
    bytes[at + 3] = jf;
    putU32(bytes, at + 4, k);
  });
  return bytes;
}

/** #define BPF_JA 0x00 of class BPF_JMP 0x05 */
const BPF_JMP_JA = 0x05;

function encodePattern(pattern: Pattern, snapBytes: number): readonly Instruction[] {
  const steps = pattern.map(({ offset, bytes, mask, value }) => [
    { code: BPF_LD | BPF_ABS | SIZES[bytes], k: SKF_NET_OFF + offset },
    ...(mask === undefined ? [] : [{ code: BPF_ALU_AND_K, k: mask }]),
    { code: BPF_JMP_JEQ_K, k: value },
  ]);
  const length = steps.flat().length + 1;
  const jumping = (instruction: Instruction, index: number): Instruction =>
    instruction.code === BPF_JMP_JEQ_K ? { ...instruction, jf: length - index - 1 } : instruction;
  return [...steps.flat().map(jumping), { code: BPF_RET_K, k: snapBytes }];
}
