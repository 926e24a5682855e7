// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findDrop } from "./trace-output.ts";

const TRACER = "inet margay-trace-1";
const BEGIN = `trace id 73dc2c74 ${TRACER} prerouting rule ip saddr 10.1.0.1 meta nftrace set 1 (verdict continue)`;
const PACKET =
  'trace id 73dc2c74 ip other f packet: iif "eth0" oif "calia" ip saddr 10.1.0.1 ip daddr 10.1.0.2';
const DROP = "trace id 73dc2c74 ip other f rule ip protocol icmp drop (verdict drop)";

describe("what nft prints of a traced packet", () => {
  it("tells the rule that dropped it", () => {
    const output = [
      BEGIN,
      PACKET,
      "trace id 73dc2c74 inet margay-source containers policy accept ",
      DROP,
      "",
    ].join("\n");
    assert.deepEqual(findDrop(output, TRACER), {
      table: "ip other",
      chain: "f",
      rule: "ip protocol icmp drop",
      isAround: false,
    });
  });

  it("tells the chain whose policy did", () => {
    const output = `${BEGIN}\n${PACKET}\ntrace id 73dc2c74 inet filter forward policy drop \n`;
    assert.deepEqual(findDrop(output, TRACER), {
      table: "inet filter",
      chain: "forward",
      rule: null,
      isAround: false,
    });
  });

  it("tells whether it is the packet around the one that is looked for", () => {
    const around = BEGIN.replace("set 1", 'set 1 comment "around"');
    const policy = `trace id 73dc2c74 ${TRACER} prerouting policy accept `;
    assert.equal(findDrop([around, policy, DROP].join("\n"), TRACER)?.isAround, true);
    const opened = BEGIN.replace("73dc2c74", "1");
    const drop = DROP.replace("73dc2c74", "1");
    assert.equal(findDrop([around, policy, opened, drop].join("\n"), TRACER)?.isAround, false);
  });

  it("is of no drop where nothing dropped it", () => {
    assert.equal(findDrop("", TRACER), undefined);
    const accepted = "trace id 73dc2c74 ip other f rule accept (verdict accept)";
    assert.equal(findDrop(`${BEGIN}\n${PACKET}\n${accepted}`, TRACER), undefined);
  });

  it("is of no packet that somebody else has traced", () => {
    assert.equal(findDrop(`${PACKET}\n${DROP}`, TRACER), undefined);
    const other = DROP.replace("73dc2c74", "1");
    assert.equal(findDrop(`${BEGIN}\n${other}`, TRACER), undefined);
  });
});
