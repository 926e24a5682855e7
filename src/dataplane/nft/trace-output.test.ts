// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findDrop } from "./trace-output.ts";

const PACKET =
  'trace id 73dc2c74 ip other f packet: iif "eth0" oif "calia" ip saddr 10.1.0.1 ip daddr 10.1.0.2';

describe("what nft prints of a traced packet", () => {
  it("tells the rule that dropped it", () => {
    const output = [
      PACKET,
      "trace id 73dc2c74 inet margay-source containers policy accept ",
      "trace id 73dc2c74 ip other f rule ip protocol icmp drop (verdict drop)",
      "",
    ].join("\n");
    assert.deepEqual(findDrop(output), { table: "ip other", chain: "f", rule: "ip protocol icmp drop" });
  });

  it("tells the chain whose policy did", () => {
    const output = `${PACKET}\ntrace id 73dc2c74 inet filter forward policy drop \n`;
    assert.deepEqual(findDrop(output), { table: "inet filter", chain: "forward", rule: null });
  });

  it("is of no drop where nothing dropped it", () => {
    assert.equal(findDrop(""), undefined);
    assert.equal(findDrop(`${PACKET}\ntrace id 1 ip other f rule accept (verdict accept)`), undefined);
  });
});
