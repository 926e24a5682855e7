// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { familyOf, parseIp } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import type { Participant } from "./check.ts";
import { renderMatrix } from "./matrix.ts";

const HOST: Participant = { name: "host1", kind: "host", address: parseIpv4("192.168.0.101") };
const A: Participant = { name: "a", kind: "container", address: parseIpv4("10.1.0.1") };
const B: Participant = { name: "bob", kind: "container", address: parseIpv4("10.1.0.2") };
const PARTICIPANTS = [HOST, A, B];

function pair(from: Participant, to: Participant, source: string | null = from.address, reachable = true) {
  return {
    family: familyOf(from.address),
    from: from.name,
    to: to.name,
    reachable,
    source,
    translated: source !== null && source !== from.address,
  };
}

test("a lab without fault is a table of check marks", () => {
  const pairs = [pair(HOST, A), pair(HOST, B), pair(A, B), pair(B, A)];
  assert.equal(
    renderMatrix({ ok: true, participants: PARTICIPANTS, pairs }),
    [
      "from   address        a  bob",
      "host1  192.168.0.101  ✓  ✓",
      "a      10.1.0.1       ·  ✓",
      "bob    10.1.0.2       ✓  ·",
      "",
      "4 of 4 pairs reach each other. No source address was translated.",
    ].join("\n"),
  );
});

test("each fault is told in words below the table", () => {
  const pairs = [
    pair(HOST, A, null, false),
    pair(HOST, B),
    pair(A, B, "192.168.0.101"),
    pair(B, A, B.address, false),
  ];
  assert.equal(
    renderMatrix({ ok: false, participants: PARTICIPANTS, pairs }),
    [
      "from   address        a  bob",
      "host1  192.168.0.101  ✗  ✓",
      "a      10.1.0.1       ·  NAT",
      "bob    10.1.0.2       ✗  ·",
      "",
      "2 of 4 pairs reach each other. 3 wrong:",
      "  host1 -> a: nothing arrived",
      "  a -> bob: the receiver saw 192.168.0.101, which is not a's address",
      "  bob -> a: the probe arrived, its answer did not",
    ].join("\n"),
  );
});

test("a lab too wide for a terminal shows its faults alone", () => {
  const many = Array.from({ length: 30 }, (_, index) => ({ ...A, name: `c${index}` }));
  const pairs = many.slice(1).map((to) => pair(A, to));
  const text = renderMatrix({ ok: true, participants: many, pairs });
  assert.equal(text, "29 of 29 pairs reach each other. No source address was translated.");
});

test("a second family has a table of its own", () => {
  const [host, a, b] = [HOST, A, B].map((one, index) => ({ ...one, address: parseIp(`fd10::${index}`) }));
  assert.ok(host && a && b);
  const pairs = [pair(A, B), pair(B, A), pair(a, b), pair(b, a, null, false)];
  assert.equal(
    renderMatrix({ ok: false, participants: [...PARTICIPANTS, host, a, b], pairs }),
    [
      "from  address   a  bob",
      "a     10.1.0.1  ·  ✓",
      "bob   10.1.0.2  ✓  ·",
      "",
      "from  address  a  bob",
      "a     fd10::1  ·  ✓",
      "bob   fd10::2  ✗  ·",
      "",
      "3 of 4 pairs reach each other. 1 wrong:",
      "  bob -> a by IPv6: nothing arrived",
    ].join("\n"),
  );
});
