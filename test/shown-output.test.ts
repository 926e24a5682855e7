// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAsShown } from "./shown-output.ts";

const [MAC, OTHER_MAC, ANOTHER_MAC] = ["42:ea:6a:b1:e5:e1", "7e:27:8a:9e:ae:5e", "4a:7b:5b:c4:8f:20"];

for (const [shown, output, isSo] of [
  ["a b", "a    b\n", true],
  ["a", "a\nb\n", false],
  ["b", "a\nb\n", false],
  ["a\n…", "a\nb\nc\n", true],
  ["a\n…", "a\n", true],
  ["…\nb\n…\nd", "a\nb\nc\nd\n", true],
  ["…\nb\n…\nd", "a\nc\nd\n", false],
  ["10.1.…/26 via *", "10.1.2.0/26   via *\n", true],
  ["10.1.…/26 via *", "10.1.2.0/26\nvia *\n", false],
  // Values that vary, and the same again.
  [`${MAC} > ${OTHER_MAC}`, `${OTHER_MAC} > ${ANOTHER_MAC}\n`, true],
  [`${MAC} > ${OTHER_MAC}\n${MAC}`, `${OTHER_MAC} > ${ANOTHER_MAC}\n${OTHER_MAC}\n`, true],
  [`${MAC} > ${OTHER_MAC}\n${MAC}`, `${OTHER_MAC} > ${ANOTHER_MAC}\n${ANOTHER_MAC}\n`, false],
  [MAC, "ee:ee:ee:ee:ee:ee\n", false],
  ["ee:ee:ee:ee:ee:ee", `${MAC}\n`, false],
  ["a 10.1.240.64\n10.1.240.64/32 dev", "a 10.1.240.65\n10.1.240.65/32 dev\n", true],
  ["10.1.95.0/26 via", "10.1.96.0/26 via\n", false],
  ["192.168.0.101", "192.168.0.102\n", false],
  ["seen +48 µs out", "seen +112 µs out\n", true],
  ["seen +48 µs out", "seen out\n", false],
  ["time=0.065 ms, 4 of 4", "time=1.3 ms, 4 of 4\n", true],
  ["ttl=62 time=0.065 ms", "ttl=61 time=0.065 ms\n", false],
  ["agent 41  bird 52", "agent 1234  bird 1\n", true],
  ["agent 41", "agent dead\n", false],
] as const)
  test(`${JSON.stringify(output)} is ${isSo ? "" : "not "}shown by ${JSON.stringify(shown)}`, () => {
    assert.equal(isAsShown(output, shown), isSo);
  });

test("a value that a page has shown is the same further on", () => {
  const known = new Map<string, string>();
  assert.ok(isAsShown("a 10.1.240.65", "a 10.1.240.64", known));
  assert.ok(isAsShown("b 10.1.240.64", "b 10.1.240.65", known));
  assert.ok(isAsShown("10.1.240.65 > 10.1.240.64", "10.1.240.64 > 10.1.240.65", known));
  assert.ok(!isAsShown("10.1.240.64 > 10.1.240.65", "10.1.240.64 > 10.1.240.65", known));
});
