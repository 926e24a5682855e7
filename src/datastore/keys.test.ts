// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { prefixEnd } from "./keys.ts";

test("the end of a prefix is the least text above all that start with it", () => {
  const cases: readonly (readonly [prefix: string, end: string | undefined])[] = [
    ["", undefined],
    ["a", "b"],
    ["a/", "a0"],
    ["a\0", "a\u0001"],
    ["\x7f", "\x80"],
    ["a\ud7ff", "a\ue000"],
    ["\uffff", "\u{10000}"],
    ["a\u{10ffff}", "b"],
    ["a\u{10ffff}\u{10ffff}", "b"],
    ["\u{10ffff}", undefined],
  ];
  for (const [prefix, end] of cases) assert.equal(prefixEnd(prefix), end);
});

test("the end of a prefix divides what starts with it from what comes after, by bytes", () => {
  const characters = [
    "\0",
    "/",
    "0",
    "z",
    "\x7f",
    "é",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
    "\u{10ffff}",
  ];
  const texts = ["", ...characters, ...characters.flatMap((a) => characters.map((b) => a + b))];
  for (const prefix of texts) {
    const end = prefixEnd(prefix);
    for (const text of texts) {
      const inside = !isBelow(text, prefix) && (end === undefined || isBelow(text, end));
      assert.equal(inside, text.startsWith(prefix), JSON.stringify({ prefix, end, text }));
    }
  }
});

function isBelow(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}
