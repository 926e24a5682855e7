// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wire } from "../netlink/wire.ts";
import { decodeEchoReply, encodeEcho } from "./icmp-echo.ts";

const IPV4 = wire`45 00 00 1c 00 00 40 00 40 01 00 00 c0 a8 00 66 c0 a8 00 65`;

function packet(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe("an echo request", () => {
  it("is laid out as RFC 792 says, with its checksum", () => {
    const echo = encodeEcho({ identifier: 0x1234, sequence: 0x0102 }, 32);
    // 0x0800 + 0x1234 + 0x0102 = 0x1b36, of which the complement is 0xe4c9.
    assert.deepEqual(echo, wire`08 00 e4 c9 12 34 01 02 00 00 00 00`);
  });

  it("has a checksum whose carries are added in", () => {
    const echo = encodeEcho({ identifier: 0xffff, sequence: 0xffff }, 28);
    assert.deepEqual(echo, wire`08 00 f7 ff ff ff ff ff`);
  });

  it("is another message in IPv6, whose checksum the kernel adds", () => {
    const echo = encodeEcho({ identifier: 0x1234, sequence: 0x0102 }, 52, 6);
    assert.deepEqual(echo, wire`80 00 00 00 12 34 01 02 00 00 00 00`);
  });

  it("makes a packet of the length that is asked for", () => {
    assert.equal(encodeEcho({ identifier: 1, sequence: 1 }, 1500).length, 1480);
  });
});

describe("an answer to an echo", () => {
  const reply = wire`00 00 ec c9 12 34 01 02`;

  it("tells what it answers", () => {
    assert.deepEqual(decodeEchoReply(packet(IPV4, reply)), { identifier: 0x1234, sequence: 0x0102 });
  });

  it("is found behind a header with options", () => {
    const options = packet(wire`46`, IPV4.subarray(1), wire`01 01 01 01`);
    assert.deepEqual(decodeEchoReply(packet(options, reply)), { identifier: 0x1234, sequence: 0x0102 });
  });

  it("comes without a header in IPv6", () => {
    const found = decodeEchoReply(wire`81 00 ec c9 12 34 01 02`, 6);
    assert.deepEqual(found, { identifier: 0x1234, sequence: 0x0102 });
    assert.equal(decodeEchoReply(wire`80 00 ec c9 12 34 01 02`, 6), undefined);
    assert.equal(decodeEchoReply(wire`81 00 ec c9 12 34 01`, 6), undefined);
  });

  it("is no message of another type", () => {
    assert.equal(decodeEchoReply(packet(IPV4, wire`08 00 e4 c9 12 34 01 02`)), undefined);
  });

  it("is none that is cut short, wherever that is", () => {
    const whole = packet(IPV4, reply);
    for (let length = 0; length < whole.length; length++)
      assert.equal(decodeEchoReply(whole.subarray(0, length)), undefined);
  });
});
