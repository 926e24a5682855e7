// SPDX-License-Identifier: Apache-2.0
// What maps and programs have in common. The kernel numbers both, each kind for itself, through all namespaces.
import { BpfAttributes } from "./attributes.ts";

// enum bpf_cmd (linux/bpf.h)
const BPF_OBJ_GET_INFO_BY_FD = 15;

/** Opens what the `BPF_*_GET_FD_BY_ID` command is for; throws `KernelError`, `ENOENT` where it is gone. */
export function openById(op: string, command: number, id: number): number {
  // start_id or *_id, next_id, open_flags
  return new BpfAttributes(12).u32(0, id).call(op, command);
}

/** Has the kernel fill in `info`: `struct bpf_map_info` or `struct bpf_prog_info`, as much as there is room for. */
export function readInfo(op: string, fd: number, info: BpfAttributes): void {
  // bpf_fd, info_len, info
  const attributes = new BpfAttributes(16).u32(0, fd).u32(4, info.size);
  info.pointTo(attributes, 8);
  attributes.call(op, BPF_OBJ_GET_INFO_BY_FD);
}
