// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Labels, parseSelector, renderSelector, selects } from "./selector.ts";

interface Row {
  readonly text: string;
  readonly yes?: readonly Labels[];
  readonly no?: readonly Labels[];
}

const ROWS: readonly Row[] = [
  { text: "", yes: [{}, { a: "b" }] },
  { text: " \t", yes: [{}] },
  { text: "all()", yes: [{}, { a: "b" }] },
  { text: " all( ) ", yes: [{}] },
  { text: "global()", yes: [{}, { a: "b" }] },
  { text: "!all()", no: [{}] },
  { text: `a == "b"`, yes: [{ a: "b" }, { a: "b", c: "d" }], no: [{}, { a: "c" }, { c: "b" }, { a: "" }] },
  { text: `a=='b'`, yes: [{ a: "b" }] },
  { text: `a == ""`, yes: [{ a: "" }], no: [{}] },
  { text: `a != "b"`, yes: [{}, { a: "c" }], no: [{ a: "b" }] },
  { text: `a contains "bc"`, yes: [{ a: "bc" }, { a: "abcd" }], no: [{}, { a: "b" }, { a: "acb" }] },
  { text: `a starts with "b"`, yes: [{ a: "b" }, { a: "bc" }], no: [{}, { a: "ab" }] },
  { text: `a startswith "b"`, yes: [{ a: "bc" }], no: [{ a: "ab" }] },
  { text: `a ends with "b"`, yes: [{ a: "b" }, { a: "ab" }], no: [{}, { a: "ba" }] },
  { text: `a in {"b", 'c'}`, yes: [{ a: "b" }, { a: "c" }], no: [{}, { a: "d" }] },
  { text: `a in {}`, no: [{}, { a: "" }] },
  { text: `a not in {"b", "c"}`, yes: [{}, { a: "d" }], no: [{ a: "b" }] },
  { text: `a notin {"b"}`, yes: [{}], no: [{ a: "b" }] },
  { text: `a in {"'", '"'}`, yes: [{ a: "'" }, { a: '"' }], no: [{ a: "" }] },
  { text: "has(a)", yes: [{ a: "" }], no: [{}, { b: "a" }] },
  { text: "has( a )", yes: [{ a: "b" }] },
  { text: "!has(a)", yes: [{}], no: [{ a: "b" }] },
  { text: "!! ! has(a)", yes: [{}], no: [{ a: "b" }] },
  { text: `!a == "b"`, yes: [{}, { a: "c" }], no: [{ a: "b" }] },
  { text: `a == "b" && c == "d"`, yes: [{ a: "b", c: "d" }], no: [{ a: "b" }, { c: "d" }, {}] },
  { text: `a == "b" || c == "d"`, yes: [{ a: "b" }, { c: "d" }], no: [{}, { a: "d" }] },
  // "&&" binds more tightly than "||", and "!" than both.
  { text: "has(a) || has(b) && has(c)", yes: [{ a: "" }, { b: "", c: "" }], no: [{ b: "" }, { c: "" }] },
  { text: "(has(a) || has(b)) && has(c)", yes: [{ a: "", c: "" }], no: [{ a: "" }, { c: "" }] },
  { text: "!has(a) && has(b)", yes: [{ b: "" }], no: [{ a: "", b: "" }, {}] },
  { text: "!(has(a) && has(b))", yes: [{ a: "" }, {}], no: [{ a: "", b: "" }] },
  // Words of the grammar are labels where a label stands.
  { text: `in == "x"`, yes: [{ in: "x" }], no: [{}] },
  { text: `all == "x" && has == "y"`, yes: [{ all: "x", has: "y" }], no: [{}] },
  { text: `contains contains "x"`, yes: [{ contains: "x" }] },
  { text: `projectcalico.org/name-1_x == "v"`, yes: [{ "projectcalico.org/name-1_x": "v" }] },
  // Names that every JavaScript object answers to are labels that are not there.
  { text: "has(constructor) || has(__proto__)", no: [{}] },
  { text: `toString contains "native"`, no: [{}] },
  { text: `valueOf != "x"`, yes: [{}] },
];

for (const { text, yes = [], no = [] } of ROWS) {
  test(`selector ${JSON.stringify(text)} selects what it should, also in canonical form`, () => {
    const canonical = renderSelector(parseSelector(text));
    for (const selector of [parseSelector(text), parseSelector(canonical)]) {
      for (const labels of yes) assert.equal(selects(selector, labels), true, JSON.stringify(labels));
      for (const labels of no) assert.equal(selects(selector, labels), false, JSON.stringify(labels));
    }
    assert.equal(renderSelector(parseSelector(canonical)), canonical);
  });
}

for (const [text, canonical] of [
  ["", "all()"],
  [" (all() )", "all()"],
  ["! (has( b)||! has(a ))", "!(has(b) || !has(a))"],
  [`! (a == "b"&&! c != "d")`, `!(a == "b" && !c != "d")`],
  [`a == 'b'`, `a == "b"`],
  [`a == '"'`, `a == '"'`],
  [`a endswith "'"`, `a ends with "'"`],
  [`a in {"z", "z", "x", "y", "x", "a"}`, `a in {"a", "x", "y", "z"}`],
  [`a == "1" && b == "2" && c == "3"`, `(a == "1" && b == "2" && c == "3")`],
] as const) {
  test(`the canonical form of ${JSON.stringify(text)} is ${canonical}`, () => {
    assert.equal(renderSelector(parseSelector(text)), canonical);
  });
}

for (const [text, fault] of [
  ["b == b", "want a quoted value at character 6"],
  ["b contains b", "want a quoted value at character 12"],
  ["'b1' == b", "want a label at character 1"],
  ["b", "want an operator at character 2"],
  ["a b", "want an operator at character 3"],
  ["!", "want a label at character 2"],
  [`a == "b" &`, "want the end at character 10"],
  [`a == "b" |`, "want the end at character 10"],
  [`a == "b" c == "d"`, "want the end at character 10"],
  [`a = "b"`, "want an operator at character 3"],
  [`a in {"", ||`, "want a quoted value at character 11"],
  [`a in {"b"`, 'want "}" at character 10'],
  [`a in "b"`, 'want "{" at character 6'],
  [`a == "b`, "want a quoted value at character 6"],
  [`a == "b'`, "want a quoted value at character 6"],
  ["(has(a)", 'want ")" at character 8'],
  ["has(a))", "want the end at character 7"],
  ["()", "want a label at character 2"],
  ["has()", "want a label at character 5"],
  ["has(a) &&", "want a label at character 10"],
  ["%", "want a label at character 1"],
  ["all(a)", "want an operator at character 4"],
  [`a\n== "b"`, "want an operator at character 2"],
] as const) {
  test(`${JSON.stringify(text)} is no selector: ${fault}`, () => {
    assert.throws(() => parseSelector(text), new SyntaxError(`Cannot parse selector "${text}": ${fault}`));
  });
}

test("nesting without end is refused, and does not overflow the stack", () => {
  assert.throws(() => parseSelector("!".repeat(100_000) + "has(a)"), /want at most 100 levels/);
  assert.throws(() => parseSelector("(".repeat(100_000)), /want at most 100 levels/);
  const wide = Array.from({ length: 1000 }, (_, index) => `has(l${index})`).join(" || ");
  assert.equal(selects(parseSelector(wide), { l999: "" }), true);
});
