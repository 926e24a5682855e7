// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AddressSetting,
  interfaceExpression,
  parseAddressSetting,
  renderAddressSetting,
} from "./address-setting.ts";

describe("the setting of a node's address", () => {
  const good: readonly (readonly [text: string, setting: object])[] = [
    ["192.168.0.101/24", { kind: "fixed", address: "192.168.0.101/24" }],
    ["first-found", { kind: "first-found" }],
    ["can-reach=192.0.2.1", { kind: "can-reach", ip: "192.0.2.1" }],
    ["interface=eth.*,^bond0$", { kind: "interface", patterns: ["eth.*", "^bond0$"] }],
    ["skip-interface=eth[1-9]", { kind: "skip-interface", patterns: ["eth[1-9]"] }],
    ["cidr=10.0.0.0/8,192.168.0.0/16", { kind: "cidr", cidrs: ["10.0.0.0/8", "192.168.0.0/16"] }],
  ];
  for (const [text, setting] of good) {
    it(`may be ${text}, and is written like that again`, () => {
      const parsed: AddressSetting = parseAddressSetting(text);
      assert.deepEqual(parsed, setting);
      assert.equal(renderAddressSetting(parsed), text);
    });
  }

  it("may be of IPv6, and then is of IPv6 alone", () => {
    for (const text of [
      "fd00:1::101/64",
      "first-found",
      "can-reach=2001:db8::1",
      "interface=eth0",
      "cidr=fd00::/16",
    ])
      assert.equal(renderAddressSetting(parseAddressSetting(text, 6)), text);
    for (const text of ["192.168.0.101/24", "can-reach=192.0.2.1", "cidr=10.0.0.0/8"])
      assert.throws(() => parseAddressSetting(text, 6), { name: "SyntaxError", message: /want (an )?IPv6/ });
  });

  it("may have spaces around commas", () => {
    assert.deepEqual(parseAddressSetting("interface=eth0 , eth1"), {
      kind: "interface",
      patterns: ["eth0", "eth1"],
    });
  });

  const bad: readonly (readonly [text: string, words: RegExp])[] = [
    ["", /^Cannot use address "": want an address with a length, first-found, can-reach=/],
    ["autodetect", /^Cannot use address "autodetect": want an address/],
    ["first-found=eth0", /^Cannot use address "first-found=eth0": want/],
    ["kubernetes-internal-ip", /^Cannot use address "kubernetes-internal-ip": want/],
    ["192.168.0.101", /^Cannot parse prefix "192\.168\.0\.101": want <address>\/<length>$/],
    ["192.168.0.256/24", /^Cannot parse .*192\.168\.0\.256/],
    ["fd00::1/64", /^Cannot use address "fd00::1\/64": want IPv4$/],
    ["can-reach=", /^Cannot use can-reach of "": want an IPv4 address/],
    ["can-reach=www.example.com", /"www\.example\.com": want an IPv4 address; names are not looked up/],
    ["can-reach=fd00::1", /"fd00::1": want an IPv4 address/],
    ["interface=", /^Cannot use regular expression "": it is empty$/],
    ["interface=eth0,", /^Cannot use regular expression "": it is empty$/],
    ["interface=eth0,*", /^Cannot use regular expression "\*": .*Nothing to repeat$/],
    ["interface=eth(0", /^Cannot use regular expression "eth\(0": .*Unterminated group$/],
    ["interface=eth{1", /^Cannot use regular expression "eth\{1": .*Incomplete quantifier$/],
    ["interface=eth 0", /"eth 0": names of interfaces have no spaces$/],
    ["skip-interface=(a+)+$", /"\(a\+\)\+\$": a group cannot be repeated$/],
    ["skip-interface=a*a*a*a*a*b", /at most 4 of \*, \+, \? and \{ are allowed/],
    [`interface=${"e".repeat(65)}`, /it has 65 characters, at most 64 are allowed$/],
    ["cidr=", /^Cannot parse prefix "": want <address>\/<length>$/],
    ["cidr=10.0.0.1/8", /^Cannot parse prefix "10\.0\.0\.1\/8": host bits are set, want "10\.0\.0\.0\/8"$/],
    ["cidr=fd00::/64", /^Cannot use prefix "fd00::\/64": want IPv4$/],
  ];
  for (const [text, words] of bad) {
    it(`cannot be "${text}"`, () => {
      assert.throws(() => parseAddressSetting(text), { name: "SyntaxError", message: words });
    });
  }

  it("has expressions that match anywhere within a name", () => {
    assert.ok(interfaceExpression("eth").test("myeth0"));
    assert.ok(!interfaceExpression("^eth").test("myeth0"));
  });
});
