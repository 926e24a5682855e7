// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeLinkCounters, listLinkCounters } from "./link-counters.ts";
import { truncations, wire } from "./wire.ts";

const COUNTERS = wire`
  00 00 00 00  // AF_UNSPEC
  05 00 00 00  // index 5
  01 00 00 00  // the filter: IFLA_STATS_LINK_64
  24 00 01 00  // IFLA_STATS_LINK_64
  07 00 00 00
  00 00 00 00  // 7 packets received
  09 00 00 00
  00 00 00 00  // 9 sent
  00 00 00 00
  01 00 00 00  // 2 ** 32 octets received
  10 00 00 00
  00 00 00 00  // 16 sent
`;

const message = { type: 92, flags: 0, sequence: 0, portId: 0 };

test("counters have the index of their interface", () => {
  assert.deepEqual(listLinkCounters.decode({ ...message, body: COUNTERS }), {
    ifIndex: 5,
    rxPackets: 7,
    txPackets: 9,
    rxBytes: 2 ** 32,
    txBytes: 16,
  });
});

test("a message without counters, or of another type, is none", () => {
  assert.equal(decodeLinkCounters({ ...message, body: COUNTERS.subarray(0, 12) }), undefined);
  assert.equal(listLinkCounters.decode({ ...message, type: 3, body: COUNTERS }), undefined);
});

test("counters that are cut off are malformed", () => {
  for (const body of truncations(COUNTERS)) {
    if (body.length === 12) continue;
    assert.throws(() => decodeLinkCounters({ ...message, body }), RangeError, `${body.length} bytes`);
  }
});

test("nothing but the counters of every interface is asked for", () => {
  const { type, body } = listLinkCounters.request;
  assert.deepEqual([type, [...body]], [94, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]]);
});
