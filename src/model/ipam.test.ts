// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../net/cidr.ts";
import { parseExactJson, renderExactJson } from "./exact-json.ts";
import { parseAffinity, renderAffinity } from "./ipam-affinity.ts";
import { parseBlock, renderBlock } from "./ipam-block.ts";
import { countInHandle, handleBlocks, parseHandle, renderHandle, setInHandle } from "./ipam-handle.ts";
import { formatIssues, unwrap } from "./issue.ts";

/** As Calico writes a block to etcd. */
const CALICO_BLOCK =
  '{"cidr":"10.1.0.0/30","affinity":"host:host1","affinityClaimTime":"2026-01-01T00:00:00Z","allocations":[0,null,0,null],' +
  '"unallocated":[3,1],"attributes":[{"handle_id":"net.c1","secondary":{"namespace":"default","node":"host1"},' +
  '"alternate":null}],"sequenceNumber":1767225600123456789,"sequenceNumberForAllocation":{"0":1767225600123456787,' +
  '"2":1767225600123456788},"deleted":false,"later":{"x":1}}';

test("a block that Calico wrote is read exactly, and written back without loss", () => {
  const block = unwrap(parseBlock(CALICO_BLOCK), "block");
  assert.equal(block.sequenceNumber, 1767225600123456789n);
  assert.deepEqual(block.sequenceNumberForAllocation, {
    "0": 1767225600123456787n,
    "2": 1767225600123456788n,
  });
  assert.deepEqual(parseExactJson(renderBlock(block)), parseExactJson(CALICO_BLOCK));
});

test("what Go writes for empty lists and maps is read as such", () => {
  const text =
    '{"cidr":"10.1.0.0/31","affinity":null,"allocations":[0,0],"unallocated":null,"attributes":[{"handle_id":null,' +
    '"secondary":null}],"sequenceNumber":0,"sequenceNumberForAllocation":null,"deleted":false}';
  const block = unwrap(parseBlock(text), "block");
  assert.deepEqual([block.unallocated, block.sequenceNumberForAllocation], [[], {}]);
  assert.deepEqual(block.attributes, [{ handle_id: null, secondary: {} }]);
});

for (const [change, fault] of [
  [{ allocations: [null] }, "allocations has 1 entries, want 2"],
  [
    { allocations: [0, null] },
    "an allocation has no attributes; an address is listed as free, but is allocated or outside",
  ],
  [{ unallocated: [0, 0] }, "an address is listed as free twice"],
  [{ unallocated: [0, 2] }, "an address is listed as free, but is allocated or outside"],
  [{ unallocated: [-1] }, "unallocated[0]: Too small: expected number to be >=0"],
  [
    { cidr: "10.0.0.0/8", allocations: [], unallocated: [] },
    "a block of 16777216 addresses is larger than any",
  ],
  [{ sequenceNumber: 1.5 }, "sequenceNumber: Invalid input"],
] as const) {
  test(`a block is refused: ${fault}`, () => {
    const block = {
      cidr: "10.1.0.0/31",
      allocations: [null, null],
      unallocated: [0, 1],
      attributes: [],
      ...change,
    };
    const parsed = parseBlock(JSON.stringify(block));
    assert.ok(parsed.kind === "invalid");
    assert.ok(formatIssues(parsed.issues).startsWith(fault), formatIssues(parsed.issues));
  });
}

test("text that is no JSON is an issue", () => {
  for (const parse of [parseBlock, parseAffinity, parseHandle])
    for (const text of ["", "{", "null", "[]", '"x"']) assert.equal(parse(text).kind, "invalid", text);
});

test("an affinity is read with or without its mark of deletion, and nothing else is a state", () => {
  assert.deepEqual(parseAffinity('{"state":"confirmed"}'), {
    kind: "ok",
    value: { state: "confirmed", deleted: false },
  });
  const text = '{"state":"pendingDeletion","deleted":false,"type":"host"}';
  assert.equal(renderAffinity(unwrap(parseAffinity(text), "affinity")), text);
  assert.equal(parseAffinity('{"state":"Confirmed"}').kind, "invalid");
});

test("a handle counts addresses by block, and ends with the last", () => {
  const [a, b] = [parseCidr("10.1.0.0/26"), parseCidr("10.1.0.64/26")];
  const one = countInHandle(undefined, a, 1);
  assert.equal(renderHandle(one ?? assert.fail()), '{"deleted":false,"block":{"10.1.0.0/26":1}}');
  const two = countInHandle(countInHandle(one, b, 1), a, 1) ?? assert.fail();
  assert.deepEqual(two.block, { [a]: 2, [b]: 1 });
  assert.deepEqual(handleBlocks(setInHandle(two, a, 0) ?? assert.fail()), [b]);
  assert.equal(countInHandle(one, a, -1), undefined);
  assert.equal(setInHandle(undefined, a, 0), undefined);
});

test("a handle that Calico wrote keeps what is not known here", () => {
  const text = '{"deleted":false,"block":{"10.1.0.0/26":1},"later":1}';
  const handle = unwrap(parseHandle(text), "handle");
  const more = countInHandle(handle, parseCidr("10.1.0.0/26"), 1);
  assert.deepEqual(more, { deleted: false, block: { "10.1.0.0/26": 2 }, later: 1 });
  assert.equal(parseHandle('{"block":{"10.1.0.1/26":1}}').kind, "invalid");
});

test("integers beyond what a number holds are kept, other numbers stay numbers", () => {
  const text =
    '{"a":9007199254740993,"b":9007199254740991,"c":1.5,"d":-9007199254740993,"e":1e30,"f":[18446744073709551615]}';
  const value = parseExactJson(text);
  assert.deepEqual(value, {
    a: 9007199254740993n,
    b: 9007199254740991,
    c: 1.5,
    d: -9007199254740993n,
    e: 1e30,
    f: [18446744073709551615n],
  });
  assert.deepEqual(parseExactJson(renderExactJson(value)), value);
});
