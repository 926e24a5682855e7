// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Counters,
  HISTORY,
  NO_RATE,
  activityOf,
  createRateMeter,
  formatBits,
  formatPackets,
} from "./rates.ts";

function counters(rxBytes: number, id = "eth0"): Counters {
  return { id, rxBytes, rxPackets: rxBytes / 100, txBytes: 0, txPackets: 0 };
}

describe("rates", () => {
  it("are what was added since the reading before, for the time between", () => {
    const meter = createRateMeter();
    meter.read(1000, [counters(5000)]);
    assert.deepEqual(meter.rate("eth0"), NO_RATE);
    meter.read(3000, [counters(7000)]);
    assert.deepEqual(meter.rate("eth0"), { rxBits: 8000, rxPackets: 10, txBits: 0, txPackets: 0 });
  });

  it("are zero where a counter is not told of, and go on from there", () => {
    const meter = createRateMeter();
    meter.read(0, [counters(0)]);
    meter.read(1000, [counters(1000)]);
    meter.read(2000, []);
    assert.deepEqual(meter.rate("eth0"), NO_RATE);
    meter.read(3000, [counters(2000)]);
    assert.equal(meter.rate("eth0").rxBits, 8000);
  });

  it("are zero where a counter begins anew, and of interfaces that are gone", () => {
    const meter = createRateMeter();
    meter.read(0, [counters(9000)]);
    meter.read(1000, [counters(100)]);
    assert.deepEqual(meter.rate("eth0"), NO_RATE);
    meter.read(2000, [counters(200)]);
    assert.equal(meter.rate("eth0").rxBits, 800);
    meter.forget(["eth0"]);
    assert.deepEqual(meter.rate("eth0"), NO_RATE);
    assert.deepEqual(meter.history("eth0"), []);
  });

  it("do not count one reading twice", () => {
    const meter = createRateMeter();
    meter.read(0, [counters(0)]);
    meter.read(1000, [counters(1000)]);
    meter.read(1000, [counters(5000)]);
    assert.equal(meter.rate("eth0").rxBits, 8000);
  });

  it("are kept for a minute", () => {
    const meter = createRateMeter();
    for (let second = 0; second < 100; second += 1) meter.read(second * 1000, [counters(second)]);
    assert.equal(meter.history("eth0").length, HISTORY);
  });

  it("are written with two digits", () => {
    assert.deepEqual([0, 0.4, 940, 999.6, 1234, 9960, 34_400_000, 1.2e15].map(formatBits), [
      "0 b/s",
      "0 b/s",
      "940 b/s",
      "1.0 kb/s",
      "1.2 kb/s",
      "10 kb/s",
      "34 Mb/s",
      "1200 Tb/s",
    ]);
    assert.equal(formatPackets(1234.4), "1,234 p/s");
  });

  it("are seen in steps", () => {
    assert.deepEqual(
      [0, 900, 1e5, 1e7, 1e9].map((rxBits) => activityOf({ ...NO_RATE, rxBits })),
      [0, 1, 2, 3, 4],
    );
  });
});
