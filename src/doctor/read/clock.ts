// SPDX-License-Identifier: Apache-2.0
import { getU64, getU32 } from "../../dataplane/netlink/integer.ts";
import { adjtimex } from "../../dataplane/netlink/syscalls.ts";
import type { ClockSeen } from "../observation.ts";

/** `struct timex` (sys/timex.h) of machines with 64 bits: `modes` at 0, where 0 changes nothing. */
const TIMEX_LENGTH = 208;
/** `long maxerror`, in microseconds. */
const MAXERROR = 24;
/** `int status` */
const STATUS = 40;
/** Set until somebody says that they keep the clock, and again when nobody has for nine hours (`second_overflow()`, kernel/time/ntp.c). */
const STA_UNSYNC = 0x40;

/** The machine's, which all network namespaces have in common. Throws `KernelError` where it may not be asked for. */
export function readClock(): ClockSeen {
  const timex = new Uint8Array(TIMEX_LENGTH);
  adjtimex(timex);
  return decodeClock(timex);
}

export function decodeClock(timex: Uint8Array): ClockSeen {
  return {
    isKept: (getU32(timex, STATUS) & STA_UNSYNC) === 0,
    maxErrorMs: getU64(timex, MAXERROR) / 1000,
  };
}
