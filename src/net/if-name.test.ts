// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "./if-name.ts";

for (const name of [
  "lo",
  "eth0",
  "cali0123456789a",
  "a",
  "vxlan.calico",
  "eth0.100",
  "br-1f2e",
  "tunl0",
  "...",
  "a@b",
]) {
  test(`"${name}" is an interface name`, () => {
    assert.equal(parseIfName(name), name);
  });
}

const FAULTS: readonly (readonly [string, string])[] = [
  ["", "it is empty"],
  [".", "it is a path"],
  ["..", "it is a path"],
  ["cali0123456789ab", "it has 16 characters, at most 15 are allowed"],
  ["a b", "only printable ASCII without spaces is allowed"],
  ["eth0\n", "only printable ASCII without spaces is allowed"],
  ["eth\0", "only printable ASCII without spaces is allowed"],
  ["ethö", "only printable ASCII without spaces is allowed"],
  ["a/b", 'the characters "/", ":" and "%" are not allowed'],
  ["eth0:1", 'the characters "/", ":" and "%" are not allowed'],
  ["veth%d", 'the characters "/", ":" and "%" are not allowed'],
];
for (const [name, fault] of FAULTS) {
  test(`${JSON.stringify(name)} is no interface name: ${fault}`, () => {
    assert.throws(() => parseIfName(name), new SyntaxError(`Cannot use interface name "${name}": ${fault}`));
  });
}
