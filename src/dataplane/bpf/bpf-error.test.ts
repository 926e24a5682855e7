// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelError } from "../netlink/kernel-error.ts";
import { BpfError } from "./bpf-error.ts";

const CAUSE = new KernelError('load BPF program "out"', 13);

test("the verifier's reason and the instruction are the message, all it said is kept", () => {
  const log = [
    "func#0 @0",
    "0: R1=ctx() R10=fp0",
    "0: (61) r7 = *(u32 *)(r1 +76)         ; R1=ctx() R7=pkt(r=0)",
    "1: (71) r0 = *(u8 *)(r7 +14)",
    "invalid access to packet, off=14 size=1, R7(id=0,off=14,r=0)",
    "R7 offset is outside of the packet",
    "processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0",
    "",
  ].join("\n");
  const error = new BpfError(CAUSE, log);
  assert.equal(
    error.message,
    'Cannot load BPF program "out": R7 offset is outside of the packet, at 1: (71) r0 = *(u8 *)(r7 +14) (EACCES)',
  );
  assert.deepEqual([error.code, error.log, error.cause], ["EACCES", log, CAUSE]);
});

test("without words of the verifier the kernel's number speaks", () => {
  assert.equal(new BpfError(CAUSE, "").message, CAUSE.message);
});
