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
    meter.read(2250, [counters(6000)]);
    meter.note(2300);
    assert.deepEqual(meter.rate("eth0"), { rxBits: 6400, rxPackets: 8, txBits: 0, txPackets: 0 });
  });

  it("do not depend on when others are read", () => {
    const meter = createRateMeter();
    for (let second = 0; second < 5; second += 1) {
      meter.read(second * 1000, [counters(second * 1000)]);
      meter.read(second * 1000 + 400, [counters(second * 500, "eth1")]);
      meter.note(second * 1000 + 700);
    }
    assert.deepEqual([meter.rate("eth0").rxBits, meter.rate("eth1").rxBits], [8000, 4000]);
    assert.deepEqual(
      meter.history("eth0").map(({ rxBits }) => rxBits),
      [0, 8000, 8000, 8000, 8000],
    );
  });

  it("are zero where a counter is not told of, and whole as it goes on", () => {
    const meter = createRateMeter();
    meter.read(0, [counters(0)]);
    meter.read(1000, [counters(1000)]);
    meter.note(3000);
    assert.deepEqual(meter.rate("eth0"), NO_RATE);
    meter.read(60_000, [counters(2000)]);
    meter.note(60_100);
    assert.equal(meter.rate("eth0").rxBits, 8000);
  });

  it("are zero where a counter begins anew, and of interfaces that are gone", () => {
    const meter = createRateMeter();
    meter.read(0, [counters(9000)]);
    meter.read(1000, [counters(100)]);
    meter.note(1000);
    assert.deepEqual(meter.rate("eth0"), NO_RATE);
    meter.read(2000, [counters(200)]);
    meter.note(2000);
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
    meter.note(1000);
    assert.equal(meter.rate("eth0").rxBits, 8000);
  });

  it("are kept for a minute", () => {
    const meter = createRateMeter();
    meter.read(0, [counters(0)]);
    for (let second = 0; second < 100; second += 1) meter.note(second * 1000);
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
