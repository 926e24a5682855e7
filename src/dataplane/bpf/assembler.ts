// SPDX-License-Identifier: Apache-2.0
// A BPF assembler. Names and encodings are those of the kernel's Documentation/bpf/standardization/instruction-set.rst; only what
// Margay's programs use is here.
import { putU16, putU32, putU8 } from "../netlink/integer.ts";

export interface Register {
  readonly register: number;
}
/** The result of a call, and of the program. */
export const R0: Register = { register: 0 };
/** R1 to R5 are the arguments of a call, which leaves nothing of use in them. */
export const R1: Register = { register: 1 };
export const R2: Register = { register: 2 };
export const R3: Register = { register: 3 };
export const R4: Register = { register: 4 };
export const R5: Register = { register: 5 };
/** R6 to R9 survive calls. */
export const R6: Register = { register: 6 };
export const R7: Register = { register: 7 };
export const R8: Register = { register: 8 };
export const R9: Register = { register: 9 };
/** The end of the stack, whose 512 bytes lie below; cannot be written. */
export const R10: Register = { register: 10 };

/** Octets of memory: one, two, four, eight. */
export type Size = "b" | "h" | "w" | "dw";
/** Another register, or a number of 32 bits that is extended by its sign to 64 where the operation has as many. */
export type Operand = Register | number;

interface Instruction {
  readonly kind: "instruction";
  readonly opcode: number;
  readonly dst?: Register;
  readonly src?: Register;
  /** A number of octets, or the label to jump to. */
  readonly offset?: number | string;
  readonly immediate?: number;
}
/** Takes the room of two instructions. */
interface MapReference {
  readonly kind: "map";
  readonly dst: Register;
  readonly map: string;
}
interface Label {
  readonly kind: "label";
  readonly name: string;
}
/** A line of a program. */
export type Line = Instruction | MapReference | Label;

// Instruction classes (section "Instruction classes").
const BPF_LD = 0x00;
const BPF_LDX = 0x01;
const BPF_ST = 0x02;
const BPF_STX = 0x03;
const BPF_ALU = 0x04;
const BPF_JMP = 0x05;
const BPF_ALU64 = 0x07;
/** The source operand is a register, or for an `END` instruction: the order to convert to is big-endian. */
const BPF_X = 0x08;

// Arithmetic and jump operations.
const BPF_ADD = 0x00;
const BPF_OR = 0x40;
const BPF_AND = 0x50;
const BPF_LSH = 0x60;
const BPF_RSH = 0x70;
const BPF_XOR = 0xa0;
const BPF_MOV = 0xb0;
const BPF_END = 0xd0;
const BPF_JA = 0x00;
const BPF_JEQ = 0x10;
const BPF_JGT = 0x20;
const BPF_JNE = 0x50;
const BPF_CALL = 0x80;
const BPF_EXIT = 0x90;
const BPF_JLE = 0xb0;

// Load and store: the mode of regular ones, and sizes.
const BPF_MEM = 0x60;
const SIZES: Readonly<Record<Size, number>> = { w: 0x00, h: 0x08, b: 0x10, dw: 0x18 };

/** `src_reg` of a 64-bit immediate load: "dst = map_by_fd(imm)". */
const BPF_PSEUDO_MAP_FD = 1;

export const mov32 = arithmetic(BPF_ALU | BPF_MOV);
export const mov64 = arithmetic(BPF_ALU64 | BPF_MOV);
export const add64 = arithmetic(BPF_ALU64 | BPF_ADD);
export const or64 = arithmetic(BPF_ALU64 | BPF_OR);
export const and64 = arithmetic(BPF_ALU64 | BPF_AND);
export const xor64 = arithmetic(BPF_ALU64 | BPF_XOR);
export const lsh64 = arithmetic(BPF_ALU64 | BPF_LSH);
export const rsh64 = arithmetic(BPF_ALU64 | BPF_RSH);

/** Converts the lowest 16 bits between the host's byte order and the network's; all others become zero. */
export function be16(dst: Register): Line {
  return { kind: "instruction", opcode: BPF_ALU | BPF_END | BPF_X, dst, immediate: 16 };
}

/** `dst = *(size *)(src + offset)`, extended by zeros. */
export function ldx(size: Size, dst: Register, src: Register, offset: number): Line {
  return { kind: "instruction", opcode: BPF_LDX | BPF_MEM | SIZES[size], dst, src, offset };
}

/** `*(size *)(dst + offset) = immediate`. */
export function st(size: Size, dst: Register, offset: number, immediate: number): Line {
  return { kind: "instruction", opcode: BPF_ST | BPF_MEM | SIZES[size], dst, offset, immediate };
}

/** `*(size *)(dst + offset) = src`. */
export function stx(size: Size, dst: Register, offset: number, src: Register): Line {
  return { kind: "instruction", opcode: BPF_STX | BPF_MEM | SIZES[size], dst, src, offset };
}

/** `dst = map`, by the name under which {@link assemble} is told the map's descriptor. */
export function ldMap(dst: Register, map: string): Line {
  return { kind: "map", dst, map };
}

export function ja(target: string): Line {
  return { kind: "instruction", opcode: BPF_JMP | BPF_JA, offset: target };
}

// Jumps where the comparison holds, of all 64 bits, without signs.
export const jeq = jump(BPF_JEQ);
export const jne = jump(BPF_JNE);
export const jgt = jump(BPF_JGT);
export const jle = jump(BPF_JLE);

/** Calls a helper function of the kernel by its number in `enum bpf_func_id`. */
export function call(helper: number): Line {
  return { kind: "instruction", opcode: BPF_JMP | BPF_CALL, immediate: helper };
}

export function exit(): Line {
  return { kind: "instruction", opcode: BPF_JMP | BPF_EXIT };
}

/** Names the place of the line that follows. */
export function label(name: string): Line {
  return { kind: "label", name };
}

/**
 * The program as `bpf(2)` takes it, in the byte order of the host. `maps` gives the descriptors by the names that {@link ldMap}
 * has. Throws `SyntaxError` for a label or map that is missing or given twice, `RangeError` for a number that does not fit.
 */
export function assemble(lines: readonly Line[], maps: Readonly<Record<string, number>> = {}): Uint8Array {
  const { places, length } = locate(lines);
  const bytes = new Uint8Array(length * 8);
  let at = 0;
  for (const line of lines) {
    if (line.kind === "label") continue;
    if (line.kind === "map") put(bytes, at, { ...loadMap(line, maps), offset: 0 });
    else put(bytes, at, { ...line, offset: offsetOf(line, at, places) });
    at += slots(line);
  }
  return bytes;
}

function arithmetic(opcode: number): (dst: Register, operand: Operand) => Line {
  return (dst, operand) => ({ kind: "instruction", opcode, dst, ...source(operand, opcode) });
}

function jump(operation: number): (dst: Register, operand: Operand, target: string) => Line {
  const opcode = BPF_JMP | operation;
  return (dst, operand, offset) => ({
    kind: "instruction",
    opcode,
    dst,
    offset,
    ...source(operand, opcode),
  });
}

function source(operand: Operand, opcode: number): Partial<Instruction> {
  return typeof operand === "number" ? { immediate: operand } : { opcode: opcode | BPF_X, src: operand };
}

function loadMap({ dst, map }: MapReference, maps: Readonly<Record<string, number>>): Instruction {
  const immediate = maps[map];
  if (immediate === undefined) throw new SyntaxError(`Cannot assemble program: there is no map "${map}"`);
  const src = { register: BPF_PSEUDO_MAP_FD };
  return { kind: "instruction", opcode: BPF_LD | SIZES.dw, dst, src, immediate };
}

/** How many instructions of eight octets the line becomes. */
function slots(line: Line): number {
  if (line.kind === "label") return 0;
  return line.kind === "map" ? 2 : 1;
}

function locate(lines: readonly Line[]): { places: ReadonlyMap<string, number>; length: number } {
  const places = new Map<string, number>();
  let length = 0;
  for (const line of lines) {
    if (line.kind === "label") {
      if (places.has(line.name))
        throw new SyntaxError(`Cannot assemble program: label "${line.name}" is there twice`);
      places.set(line.name, length);
    }
    length += slots(line);
  }
  return { places, length };
}

/** A jump's offset counts instructions from the one that follows it. */
function offsetOf({ offset = 0 }: Instruction, at: number, places: ReadonlyMap<string, number>): number {
  if (typeof offset === "number") return offset;
  const place = places.get(offset);
  if (place === undefined) throw new SyntaxError(`Cannot assemble program: there is no label "${offset}"`);
  return place - at - 1;
}

function put(bytes: Uint8Array, at: number, instruction: Instruction & { readonly offset: number }): void {
  const { opcode, dst, src, offset, immediate = 0 } = instruction;
  check("offset", offset, -0x8000, 0x7fff);
  // Those who mean bits rather than a number may write them without a sign.
  check("immediate", immediate, -0x8000_0000, 0xffff_ffff);
  putU8(bytes, at * 8, opcode);
  putU8(bytes, at * 8 + 1, (dst?.register ?? 0) | ((src?.register ?? 0) << 4));
  putU16(bytes, at * 8 + 2, offset);
  putU32(bytes, at * 8 + 4, immediate);
}

function check(what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`Cannot assemble program: ${what} ${value} is outside ${min} to ${max}`);
}
