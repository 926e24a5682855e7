// SPDX-License-Identifier: Apache-2.0
import type { KernelError } from "../netlink/kernel-error.ts";

/** The kernel's verifier refused a program. */
export class BpfError extends Error {
  override readonly name = "BpfError";
  /** The errno's name: `EACCES` and `EINVAL` are the verifier's, `EPERM` says that the process may not load programs. */
  readonly code: string;
  /** All that the verifier said, instruction by instruction; empty where it did not come to look. */
  readonly log: string;

  constructor(cause: KernelError, log: string) {
    const reason = summary(log);
    super(reason === undefined ? cause.message : `Cannot ${cause.op}: ${reason} (${cause.code})`, { cause });
    this.code = cause.code;
    this.log = log;
  }
}

/** The verifier's last words before its statistics are the reason, and the instruction above them the place. */
function summary(log: string): string | undefined {
  const lines = log
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !STATISTICS.test(line));
  const reason = lines.at(-1);
  const place = lines.findLast((line) => INSTRUCTION.test(line));
  return reason === undefined || place === undefined || place === reason ? reason : `${reason}, at ${place}`;
}

const STATISTICS = /^(processed \d+ insns|verification time|stack depth|mark_precise|func#)/;
/** `12: (71) r1 = *(u8 *)(r7 +14)`, with the state of registers behind a semicolon. */
const INSTRUCTION = /^\d+: \(/;
