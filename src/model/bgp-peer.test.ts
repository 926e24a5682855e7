// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePeerAddress } from "./bgp-peer.ts";
import { type Kind, formatIssues, parseResource } from "./resource.ts";
import { asNumberField, isCommunity, secondsOf } from "./schema.ts";

/** What is wrong with the spec, in words. */
function issuesOf(kind: Kind, spec: object): string {
  const parsed = parseResource(kind, {
    apiVersion: "projectcalico.org/v3",
    kind,
    metadata: { name: "x" },
    spec,
  });
  return parsed.kind === "ok" ? "" : formatIssues(parsed.issues);
}

describe("a BGPPeer", () => {
  const good = { peerIP: "192.0.2.1", asNumber: 64999 };
  for (const [spec, words] of [
    [good, /^$/],
    [{ peerSelector: "has(rr)", nodeSelector: "all()" }, /^$/],
    [{}, /spec\.peerIP: want peerIP or peerSelector/],
    [{ peerIP: "192.0.2.1" }, /spec\.asNumber: a peer by address needs one/],
    [{ ...good, peerSelector: "all()" }, /spec\.peerSelector: peerIP is set too/],
    [{ peerSelector: "all()", asNumber: 1 }, /spec\.asNumber: nodes that are selected have numbers/],
    [{ ...good, node: "a", nodeSelector: "all()" }, /spec\.nodeSelector: .* node is set too/],
    [{ ...good, reachableBy: "fd00::1" }, /spec\.reachableBy: it is not of the family/],
    [{ ...good, keepOriginalNextHop: true, nextHopMode: "Self" }, /spec\.nextHopMode: keepOriginalNextHop/],
    [
      { ...good, password: { secretKeyRef: { name: "../x", key: "y" } } },
      /spec\.password\.secretKeyRef\.name/,
    ],
    [
      { ...good, password: { secretKeyRef: { name: "x", key: "../y" } } },
      /spec\.password\.secretKeyRef\.key/,
    ],
    [{ ...good, passwort: {} }, /spec\.passwort: there is no field/],
    [{ ...good, keepaliveTime: "24h" }, /spec\.keepaliveTime: want 21845s at most/],
    [{ ...good, maxRestartTime: "2h" }, /spec\.maxRestartTime: want 4095s at most/],
    [
      { ...good, peerIP: "0.0.0.0" },
      /spec\.peerIP: Cannot use "0\.0\.0\.0" as a router's address: it is no host's/,
    ],
    [{ ...good, peerIP: "255.255.255.255" }, /spec\.peerIP: .* it is no host's/],
    [{ ...good, peerIP: "127.0.0.1:1790" }, /spec\.peerIP: .* \(loopback\)/],
    [{ ...good, peerIP: "224.0.0.5" }, /spec\.peerIP: .* \(multicast\)/],
    [{ ...good, peerIP: "::" }, /spec\.peerIP: .* it is no host's/],
    [{ ...good, peerIP: "[::1]:179" }, /spec\.peerIP: .* \(loopback\)/],
    [{ ...good, peerIP: "ff02::1" }, /spec\.peerIP: .* \(multicast\)/],
    [{ ...good, peerIP: "fe80::1" }, /spec\.peerIP: .* on which link it is cannot be said/],
    [{ ...good, peerIP: "::ffff:192.0.2.1" }, /spec\.peerIP: .* the IPv4 address/],
    [{ peerIP: "2001:db8::1", asNumber: 1, reachableBy: "fe80::1" }, /spec\.reachableBy: .* on which link/],
    [{ ...good, asNumber: "1.10", localASNumber: "65546" }, /^$/],
    [{ ...good, asNumber: "1.65536" }, /spec\.asNumber: want a number, or text such as "65546" or "1\.10"/],
    [{ ...good, asNumber: "65536.0" }, /spec\.asNumber: want a number, or text/],
    [{ ...good, asNumber: "0.0" }, /spec\.asNumber/],
    [{ ...good, asNumber: "4294967296" }, /spec\.asNumber/],
    [{ ...good, asNumber: "AS1" }, /spec\.asNumber: want a number, or text/],
    [{ ...good, asNumber: 1.1 }, /spec\.asNumber/],
    [{ ...good, ttlSecurity: 0 }, /spec\.ttlSecurity/],
    [{ ...good, bfd: { multiplier: 1 } }, /spec\.bfd\.multiplier/],
  ] as const) {
    it(`${JSON.stringify(spec)} is ${words.source === "^$" ? "right" : "wrong"}`, () => {
      assert.match(issuesOf("BGPPeer", spec), words);
    });
  }

  it("has an AS number as a number, or as text with or without a dot, of which comes the number", () => {
    for (const [written, wanted] of [
      [4_294_967_295, 4_294_967_295],
      ["65546", 65546],
      ["1.10", 65546],
      ["0.64512", 64512],
      ["65535.65535", 4_294_967_295],
    ] as const)
      assert.equal(asNumberField.parse(written), wanted);
  });

  it("has an address with or without a port, of either family", () => {
    assert.deepEqual(parsePeerAddress("192.0.2.1"), { ip: "192.0.2.1" });
    assert.deepEqual(parsePeerAddress("192.0.2.1:1790"), { ip: "192.0.2.1", port: 1790 });
    assert.deepEqual(parsePeerAddress("2001:db8::1"), { ip: "2001:db8::1" });
    assert.deepEqual(parsePeerAddress("[2001:db8::1]:1790"), { ip: "2001:db8::1", port: 1790 });
    for (const bad of [
      "",
      "192.0.2.1:0",
      "192.0.2.1:65536",
      "192.0.2.1:",
      "[2001:db8::1",
      "192.0.2.1;x",
      "a\nb",
    ])
      assert.throws(() => parsePeerAddress(bad), bad);
  });
});

describe("a BGPFilter", () => {
  const rule = { action: "Accept" };
  const cidr = { cidr: "10.0.0.0/8", matchOperator: "In" };
  for (const [spec, words] of [
    [{ importV4: [{ ...rule, ...cidr }], exportV6: [rule] }, /^$/],
    [
      { importV4: [{ ...rule, cidr: "10.0.0.0/8" }] },
      /importV4\[0\]\.matchOperator: cidr and matchOperator come together/,
    ],
    [{ importV6: [{ ...rule, ...cidr }] }, /importV6\[0\]\.cidr: "10\.0\.0\.0\/8" is not IPv6/],
    [{ importV4: [{ ...rule, prefixLength: { min: 8 } }] }, /prefixLength: it needs a cidr/],
    [{ importV4: [{ ...rule, ...cidr, prefixLength: { min: 4 } }] }, /prefixLength: want lengths/],
    [{ importV4: [{ ...rule, ...cidr, prefixLength: { max: 33 } }] }, /prefixLength: want lengths/],
    [
      { importV4: [{ action: "Reject", operations: [{ setPriority: { value: 1 } }] }] },
      /operations: a route that is rejected/,
    ],
    [{ importV4: [{ ...rule, interface: 'x"; drop' }] }, /interface: want the name/],
    [
      { importV4: [{ ...rule, communities: { values: ["65536:1"] } }] },
      /communities\.values\[0\]: want aa:nn/,
    ],
    [{ importV4: [{ action: "accept" }] }, /importV4\[0\]\.action/],
  ] as const) {
    it(`${JSON.stringify(spec)} is ${words.source === "^$" ? "right" : "wrong"}`, () => {
      assert.match(issuesOf("BGPFilter", spec), words);
    });
  }
});

it("communities are of 16 bits, or large ones of 32", () => {
  for (const text of ["0:0", "65535:65535", "4294967295:0:1"]) assert.equal(isCommunity(text), true, text);
  for (const text of ["65536:0", "1", "1:2:3:4", "4294967296:0:0", "a:b", "1:2)", ""])
    assert.equal(isCommunity(text), false, text);
});

it("durations are seconds, at least one", () => {
  assert.deepEqual(["90s", "1m30s", "1h", "10ms", "1.5m"].map(secondsOf), [90, 90, 3600, 1, 90]);
});
