// SPDX-License-Identifier: Apache-2.0
import { closeSync } from "node:fs";
import { getU32 } from "../netlink/integer.ts";
import { KernelError } from "../netlink/kernel-error.ts";
import { BpfAttributes } from "./attributes.ts";
import { BpfError } from "./bpf-error.ts";
import { openById, readInfo } from "./object.ts";

// enum bpf_cmd (linux/bpf.h)
const BPF_PROG_LOAD = 5;
const BPF_PROG_TEST_RUN = 10;
const BPF_PROG_GET_FD_BY_ID = 13;

// enum bpf_prog_type: one for a filter of traffic control.
const BPF_PROG_TYPE_SCHED_CLS = 3;

/** The helpers in use are open to programs under any licence. */
const LICENCE = Buffer.from("Apache-2.0\0", "latin1");
/** More than the log of any program here; the kernel refuses with `ENOSPC` where it is not enough. */
const LOG_BYTES = 1024 * 1024;
/** struct bpf_prog_info { __u32 type, id; …; __u32 nr_map_ids (at 52); __aligned_u64 map_ids; char name[16]; … } */
const PROG_INFO_LENGTH = 80;
/** More than a program here refers to. */
const MAX_MAPS = 16;

/** A loaded program, held open. It exists for as long as somebody holds it: a process, or what it is attached to. */
export interface BpfProgram extends Disposable {
  readonly fd: number;
  /** Unique among all programs of the kernel, and given to another only after four thousand million. */
  readonly id: number;
  readonly name: string;
}

/** Loads a program for traffic control; throws `BpfError` with the verifier's log where the kernel refuses. */
export function loadProgram(name: string, instructions: Uint8Array): BpfProgram {
  const fd = load(name, instructions);
  try {
    return handle(fd, name);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The ids of the maps that the program of this id uses; `KernelError` with `ENOENT` where it is gone. */
export function listMapsOfProgram(id: number): readonly number[] {
  const fd = openById(`open BPF program ${id}`, BPF_PROG_GET_FD_BY_ID, id);
  try {
    const ids = new Uint8Array(4 * MAX_MAPS);
    const info = new BpfAttributes(PROG_INFO_LENGTH).u32(52, MAX_MAPS).pointer(56, ids);
    readInfo(`describe BPF program ${id}`, fd, info);
    // The kernel says how many there are, however many fitted.
    const count = Math.min(info.getU32(52), MAX_MAPS);
    return Array.from({ length: count }, (_, index) => getU32(ids, 4 * index));
  } finally {
    closeSync(fd);
  }
}

/** What a program makes of a packet. */
export interface BpfRun {
  /** What it returned, signed: `TC_ACT_*`. */
  readonly action: number;
  readonly packet: Uint8Array;
}

/** Has the kernel run the program on an Ethernet frame that goes nowhere. */
export function runProgram(program: BpfProgram, packet: Uint8Array): BpfRun {
  const out = new Uint8Array(packet.length + 256);
  // prog_fd, retval, data_size_in, data_size_out, data_in, data_out, repeat, duration, ctx_…
  const attributes = new BpfAttributes(80)
    .u32(0, program.fd)
    .u32(8, packet.length)
    .u32(12, out.length)
    .pointer(16, packet)
    .pointer(24, out)
    .u32(32, 1);
  attributes.call(`run BPF program "${program.name}"`, BPF_PROG_TEST_RUN);
  return { action: attributes.getU32(4) | 0, packet: out.subarray(0, attributes.getU32(12)) };
}

/** Only who sees a failure pays for the log. */
function load(name: string, instructions: Uint8Array): number {
  try {
    return loading(name, instructions).call(`load BPF program "${name}"`, BPF_PROG_LOAD);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return loadWithLog(name, instructions);
  }
}

function loadWithLog(name: string, instructions: Uint8Array): number {
  const log = Buffer.alloc(LOG_BYTES);
  const attributes = loading(name, instructions).u32(24, 1).u32(28, log.length).pointer(32, log);
  try {
    return attributes.call(`load BPF program "${name}"`, BPF_PROG_LOAD);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new BpfError(error, log.toString("latin1", 0, Math.max(0, log.indexOf(0))));
  }
}

function loading(name: string, instructions: Uint8Array): BpfAttributes {
  // prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, prog_name[16]
  return new BpfAttributes(64)
    .u32(0, BPF_PROG_TYPE_SCHED_CLS)
    .u32(4, instructions.length / 8)
    .pointer(8, instructions)
    .pointer(16, LICENCE)
    .name(48, name);
}

function handle(fd: number, name: string): BpfProgram {
  const info = new BpfAttributes(PROG_INFO_LENGTH);
  readInfo(`describe BPF program "${name}"`, fd, info);
  let isOpen = true;
  return {
    fd,
    id: info.getU32(4),
    name,
    [Symbol.dispose]() {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}
