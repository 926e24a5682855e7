// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeCall, encodeCall, parseConfig } from "./call.ts";
import { CNI_ERRORS, CniError } from "./error.ts";

const octets = (text: string): Buffer => Buffer.from(text, "latin1");

describe("decodeCall()", () => {
  it("gives what was encoded: the specification's variables, and standard input", () => {
    const environment = { CNI_COMMAND: "ADD", CNI_NETNS: "", CNI_ARGS: "a=b;c=\u00e9" };
    const stdin = octets('{"\0\xff=');
    const body = encodeCall({ ...environment, HOME: "/", CNI_PATH: undefined }, stdin);
    const { environment: variables, stdin: rest } = decodeCall(body);
    assert.deepEqual(variables, environment);
    assert.deepEqual(Buffer.from(rest), stdin);
  });

  it("takes a call without variables, and without input", () => {
    const { environment, stdin } = decodeCall(octets("\0"));
    assert.deepEqual([environment, stdin.length], [{}, 0]);
  });

  const refusals: readonly (readonly [what: string, code: number, body: string])[] = [
    ["nothing at all", CNI_ERRORS.decode, ""],
    ["variables without an end", CNI_ERRORS.decode, "CNI_COMMAND=ADD\0"],
    ["half a variable", CNI_ERRORS.decode, "CNI_COMMAND=AD"],
    ["an entry without a value", CNI_ERRORS.decode, "CNI_COMMAND\0\0"],
    ["a variable of the machine's", CNI_ERRORS.decode, "HOME=/\0\0"],
    ["a variable without a name", CNI_ERRORS.decode, "=x\0\0"],
    ["a variable that comes twice", CNI_ERRORS.decode, "CNI_ARGS=a\0CNI_ARGS=a\0\0"],
    ["a variable that is no UTF-8", CNI_ERRORS.invalidEnvironment, "CNI_ARGS=\xff\0\0"],
  ];
  for (const [what, code, body] of refusals)
    it(`refuses ${what}`, () => {
      assert.throws(
        () => decodeCall(octets(body)),
        (error) => error instanceof CniError && error.code === code,
      );
    });
});

describe("parseConfig()", () => {
  it("takes objects alone, up to a length", () => {
    const padded = (length: number): Buffer => octets('{"a":1}'.padEnd(length));
    assert.deepEqual(parseConfig(padded(1024 * 1024)), { a: 1 });
    for (const stdin of [padded(1024 * 1024 + 1), octets("[]"), octets("null"), octets('{"a":"\xff"}')])
      assert.throws(() => parseConfig(stdin), CniError);
  });
});
