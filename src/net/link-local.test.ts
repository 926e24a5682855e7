// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { linkLocalOf } from "./link-local.ts";
import { parseMac } from "./mac.ts";

test("a link-local address has the MAC address around two octets, with the universal bit turned", () => {
  // RFC 4291 appendix A has 34-56-78-9A-BC-DE as an example; the second has a bit that is set turned.
  assert.equal(linkLocalOf(parseMac("34:56:78:9a:bc:de")), "fe80::3656:78ff:fe9a:bcde");
  assert.equal(linkLocalOf(parseMac("ee:ee:ee:ee:ee:ee")), "fe80::ecee:eeff:feee:eeee");
  assert.equal(linkLocalOf(parseMac("66:00:00:00:00:01")), "fe80::6400:ff:fe00:1");
});
