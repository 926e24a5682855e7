// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ALL_KINDS } from "../../model/resource.ts";
import { combinedExit } from "../exit.ts";
import { namesOf, parseKind } from "./kind-names.ts";
import { parseLabels } from "./label-command.ts";
import { parsePatch } from "./patch-command.ts";
import { parseId } from "./target.ts";

describe("words of the command line", () => {
  it("name kinds in singular, plural and short, in whatever case", () => {
    for (const word of ["ippool", "IPPools", "IPP", "pool"]) assert.equal(parseKind(word), "IPPool");
    assert.equal(parseKind("wep"), "WorkloadEndpoint");
    assert.throws(() => parseKind('a"\n{'), { message: /^There is no kind "a\\"\\n\{"; want one of / });
  });

  it("name one kind each", () => {
    const names = ALL_KINDS.flatMap(namesOf);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
    assert.deepEqual(
      names.filter((name) => name !== name.toLowerCase()),
      [],
    );
  });

  it("name resources that can be", () => {
    assert.deepEqual(parseId("IPPool", "a"), { kind: "IPPool", name: "a" });
    assert.deepEqual(parseId("WorkloadEndpoint", "a"), {
      kind: "WorkloadEndpoint",
      name: "a",
      namespace: "default",
    });
    for (const name of ["A", "", "../x", 'a"b', "a\nb", "{a}"])
      assert.throws(() => parseId("IPPool", name), { exit: "invalid" });
  });

  it("set and remove labels", () => {
    assert.deepEqual(parseLabels(["a=b", "c=", "d=e=f", "g-", "h-=i"]), {
      a: "b",
      c: "",
      d: "e=f",
      g: null,
      "h-": "i",
    });
    for (const words of [["a"], ["="], ["-"], ["=a"], ["a=b", "a-"]])
      assert.throws(() => parseLabels(words), { exit: "invalid" });
  });

  it("patch, and say at which version", () => {
    assert.deepEqual(parsePatch('{"spec":{"disabled":true}}'), {
      patch: { spec: { disabled: true } },
      resourceVersion: undefined,
    });
    assert.deepEqual(parsePatch("metadata: {resourceVersion: '7', labels: {a: b}}"), {
      patch: { metadata: { labels: { a: "b" } } },
      resourceVersion: "7",
    });
    for (const text of ["{", "[]", "7", "", "metadata: {resourceVersion: 7}"])
      assert.throws(() => parsePatch(text), { exit: "invalid" });
  });
});

it("the exit code of several failures is theirs where they are alike, and else that of a failure", () => {
  assert.equal(combinedExit([]), 0);
  assert.equal(combinedExit(["done", "absent", "absent"]), 3);
  assert.equal(combinedExit(["conflict", "absent"]), 1);
});
