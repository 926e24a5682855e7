// SPDX-License-Identifier: Apache-2.0
// That nftables takes the packets so is held in test/system/trace-drops.test.ts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIpv4 } from "../../net/ipv4.ts";
import { type Marker, probePatterns } from "../capture/probe-filter.ts";
import { renderTraceTable } from "./trace-table.ts";

const ECHO: Marker = {
  kind: "icmp",
  src: parseIpv4("10.1.0.1"),
  dst: parseIpv4("10.1.64.1"),
  identifier: 0x1234,
  sequence: 0x4440,
};

describe("the table that has nftables trace a probe", () => {
  it("belongs to whoever makes it, and names the fields of the packet", () => {
    const [plain] = probePatterns(ECHO, "there");
    assert.ok(plain);
    const match =
      "meta nfproto ipv4 @nh,0,8 69 @nh,72,8 1 @nh,96,32 167837697 @nh,128,32 167854081 @nh,192,16 4660 @nh,208,16 & 65532 == 17472 limit rate 20/second meta nftrace set 1";
    assert.deepEqual(renderTraceTable("t", [plain]).split("\n"), [
      "add table inet t { flags owner; }",
      "add chain inet t prerouting { type filter hook prerouting priority -450; }",
      `add rule inet t prerouting ${match}`,
      "add chain inet t output { type filter hook output priority -450; }",
      `add rule inet t output ${match}`,
    ]);
  });

  it("has the probe as it is and in every tunnel, and its answer or the error in its place", () => {
    assert.deepEqual(
      probePatterns(ECHO, "there").map(({ family }) => family),
      [4, 4, 4, 6],
    );
    assert.equal(probePatterns(ECHO, "back").length, 8);
  });
});
