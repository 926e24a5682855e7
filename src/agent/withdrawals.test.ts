// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseIp } from "../net/ip.ts";
import { createFakeClock } from "../system/clock.ts";
import { Withdrawals } from "./withdrawals.ts";

it("a withdrawn route lasts a while on other nodes, counted from the last time", () => {
  const clock = createFakeClock();
  const withdrawals = new Withdrawals(clock);
  const settlesIn = (ip: string): number => withdrawals.settlesIn(parseIp(ip));
  assert.equal(settlesIn("10.1.0.1"), 0);
  withdrawals.note([parseCidr("10.1.0.0/26"), parseCidr("10.2.0.9/32")]);
  assert.deepEqual([settlesIn("10.1.0.1"), settlesIn("10.1.0.64"), settlesIn("10.2.0.9")], [2000, 0, 2000]);
  clock.advance(1500);
  withdrawals.note([parseCidr("10.2.0.9/32")]);
  assert.deepEqual([settlesIn("10.1.0.1"), settlesIn("10.2.0.9")], [500, 2000]);
  clock.advance(2000);
  assert.deepEqual([settlesIn("10.1.0.1"), settlesIn("10.2.0.9")], [0, 0]);
});
