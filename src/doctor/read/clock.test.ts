// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { decodeClock, readClock } from "./clock.ts";

function timex(status: number, maxErrorUs: bigint): Uint8Array {
  const bytes = new Uint8Array(208);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(24, maxErrorUs, true);
  view.setInt32(40, status, true);
  return bytes;
}

it("a clock is kept in step unless the kernel says that it is not, whatever else it says", () => {
  // STA_PLL | STA_NANO
  assert.deepEqual(decodeClock(timex(0x2001, 1500n)), { isKept: true, maxErrorMs: 1.5 });
  // STA_UNSYNC
  assert.deepEqual(decodeClock(timex(0x40, 16_000_000n)), { isKept: false, maxErrorMs: 16_000 });
  assert.equal(decodeClock(timex(0x2041, 0n)).isKept, false);
});

it("this machine's clock is read, and never further off than the kernel allows", () => {
  const { maxErrorMs } = readClock();
  assert.ok(maxErrorMs >= 0 && maxErrorMs <= 16_000, String(maxErrorMs));
});
