// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NetlinkMessage } from "./message.ts";
import {
  addClsact,
  deleteBpfFilter,
  listFilterQdiscs,
  listFilters,
  replaceBpfFilter,
} from "./traffic-control.ts";
import { truncations, wire } from "./wire.ts";

function message(body: Uint8Array, type: number): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

const PLACE = { ifIndex: 3, direction: "egress", priority: 80, handle: 1 } as const;

test("clsact is a discipline of its own handle and parent", () => {
  const header = wire`00 00 00 00 03 00 00 00 00 00 ff ff f1 ff ff ff 00 00 00 00`;
  const kind = wire`0b 00 01 00 63 6c 73 61 63 74 00 00`;
  assert.deepEqual(addClsact(3).body, Uint8Array.of(...header, ...kind));
});

test("a filter is laid out as tcmsg, kind and options", () => {
  const { body, description } = replaceBpfFilter({ ...PLACE, name: "out", programFd: 7 });
  assert.equal(description, 'attach BPF program "out" to the egress of link 3');
  assert.deepEqual(
    body,
    wire`
      00 00 00 00
      03 00 00 00  // index
      01 00 00 00  // handle
      f3 ff ff ff  // parent: the way out
      08 00 50 00  // protocol in network byte order, priority
      08 00 01 00 62 70 66 00  // TCA_KIND
      1c 00 02 80              // TCA_OPTIONS
      08 00 06 00 07 00 00 00  // TCA_BPF_FD
      08 00 07 00 6f 75 74 00  // TCA_BPF_NAME
      08 00 08 00 01 00 00 00  // TCA_BPF_FLAGS
    `,
  );
});

test("a deletion names the place and the kind", () => {
  assert.deepEqual(
    deleteBpfFilter({ ...PLACE, direction: "ingress" }).body,
    wire`00 00 00 00 03 00 00 00 01 00 00 00 f2 ff ff ff 08 00 50 00 08 00 01 00 62 70 66 00`,
  );
});

const FILTER_WIRE = wire`
  00 00 00 00 03 00 00 00
  01 00 00 00 f3 ff ff ff 08 00 50 00
  08 00 01 00 62 70 66 00  // TCA_KIND
  14 00 02 00              // TCA_OPTIONS
  08 00 07 00 6f 75 74 00  // TCA_BPF_NAME
  08 00 0b 00 2a 00 00 00  // TCA_BPF_ID
`;

test("a bpf filter comes with its name and program", () => {
  assert.deepEqual(listFilters(3, "egress").decode(message(FILTER_WIRE, 44)), {
    ...PLACE,
    kind: "bpf",
    name: "out",
    programId: 42,
  });
});

test("filters of other kinds have a place, and heads of priorities are no filters", () => {
  const other = FILTER_WIRE.slice();
  other.set(wire`75 33 32 00`, 24);
  assert.deepEqual(listFilters(3, "egress").decode(message(other, 44)), { ...PLACE, kind: "u32" });
  const head = FILTER_WIRE.slice();
  head[8] = 0;
  assert.equal(listFilters(3, "egress").decode(message(head, 44)), undefined);
});

test("disciplines without filters for a whole interface are left out", () => {
  const qdisc = wire`
    00 00 00 00 03 00 00 00 00 00 ff ff f1 ff ff ff 01 00 00 00
    0b 00 01 00 63 6c 73 61 63 74 00 00
  `;
  assert.deepEqual(listFilterQdiscs.decode(message(qdisc, 36)), { ifIndex: 3, kind: "clsact" });
  const root = qdisc.slice();
  root.set(wire`ff ff ff ff`, 12);
  assert.equal(listFilterQdiscs.decode(message(root, 36)), undefined);
});

test("a filter cut off inside an attribute is malformed", () => {
  const wholeAt = [20, 28, 48];
  const dump = listFilters(3, "egress");
  for (const body of truncations(FILTER_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => dump.decode(message(body, 44)));
    else assert.throws(() => dump.decode(message(body, 44)), RangeError, `${body.length} bytes`);
  }
});
