// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeHeaders, innermost, outerIp } from "./headers.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(/\s+/).filter(Boolean), (pair) => parseInt(pair, 16));
}

const ETHERNET = "ee ee ee ee ee ee 02 00 00 00 00 0a 08 00";
const REQUEST = `
  45 00 00 1c 00 00 40 00 3f 01 00 00 0a 01 00 01 0a 01 40 01
  08 00 00 00 12 34 44 41`;
const ethernet = { kind: "ethernet", src: "02:00:00:00:00:0a", dst: "ee:ee:ee:ee:ee:ee" };
const ip = { kind: "ipv4", src: "10.1.0.1", dst: "10.1.64.1", protocol: 1, ttl: 63, length: 28 };
const icmp = { kind: "icmp", type: 8, code: 0, echo: { identifier: 0x1234, sequence: 0x4441 } };

describe("the headers of a packet", () => {
  it("are those of a frame", () => {
    assert.deepEqual(decodeHeaders(bytes(ETHERNET + REQUEST), "ethernet"), [ethernet, ip, icmp]);
  });

  it("begin with IPv4 on a device of layer 3", () => {
    assert.deepEqual(decodeHeaders(bytes(REQUEST), "ipv4"), [ip, icmp]);
  });

  it("are found behind options", () => {
    const options = REQUEST.replace("45 00 00 1c", "46 00 00 20").replace("40 01\n", "40 01 01 01 01 01\n");
    assert.deepEqual(decodeHeaders(bytes(options), "ipv4"), [{ ...ip, length: 32 }, icmp]);
  });

  it("are those of IPIP, the outer one first", () => {
    const outer = "45 00 00 30 00 00 40 00 40 04 00 00 c0 a8 00 65 c0 a8 00 66";
    const headers = decodeHeaders(bytes(outer + REQUEST), "ipv4");
    assert.deepEqual(
      headers.map(({ kind }) => kind),
      ["ipv4", "ipv4", "icmp"],
    );
    assert.equal(outerIp(headers)?.dst, "192.168.0.102");
    assert.equal(innermost(headers).ip?.dst, "10.1.64.1");
    assert.equal(innermost(headers).payload?.kind, "icmp");
    assert.equal(outerIp(decodeHeaders(bytes(REQUEST), "ipv4")), undefined);
  });

  it("are those of VXLAN, where the port is one of it", () => {
    const outer = `
      45 00 00 4e 00 00 40 00 40 11 00 00 c0 a8 00 65 c0 a8 00 66
      9c 40 12 b5 00 3a 00 00 08 00 00 00 00 10 00 00 `;
    const frame = bytes(outer + ETHERNET + REQUEST);
    assert.deepEqual(decodeHeaders(frame, "ipv4", [4789]).slice(1), [
      { kind: "udp", srcPort: 40_000, dstPort: 4789 },
      { kind: "vxlan", vni: 4096 },
      ethernet,
      ip,
      icmp,
    ]);
    assert.equal(decodeHeaders(frame, "ipv4", []).length, 2);
  });

  it("are those of TCP, with its flags", () => {
    const syn = `
      45 00 00 28 00 00 40 00 3f 06 00 00 0a 01 00 01 0a 01 40 01
      c0 01 00 50 00 00 00 00 00 00 00 00 50 12 00 00 00 00 00 00`;
    assert.deepEqual(innermost(decodeHeaders(bytes(syn), "ipv4")).payload, {
      kind: "tcp",
      srcPort: 0xc001,
      dstPort: 80,
      flags: ["SYN", "ACK"],
    });
  });

  it("of an error are its own, with those that it quotes beside them", () => {
    const error = `
      45 c0 00 38 00 00 00 00 40 01 00 00 c0 a8 00 65 0a 01 00 01
      03 04 00 00 00 00 05 c8`;
    const headers = decodeHeaders(bytes(error + REQUEST), "ipv4");
    assert.equal(innermost(headers).ip?.src, "192.168.0.101");
    assert.deepEqual(innermost(headers).payload, {
      kind: "icmp",
      type: 3,
      code: 4,
      mtu: 1480,
      quoted: [ip, icmp],
    });
  });

  it("end where the packet is cut short, wherever that is", () => {
    const whole = bytes(ETHERNET + REQUEST);
    for (let length = 0; length < whole.length; length++) {
      const headers = decodeHeaders(whole.slice(0, length), "ethernet");
      assert.deepEqual(headers, [ethernet, ip, icmp].slice(0, length < 14 ? 0 : length < 34 ? 1 : 2));
    }
  });

  it("end where the frame carries something else", () => {
    assert.deepEqual(decodeHeaders(bytes(ETHERNET.replace("08 00", "86 dd") + REQUEST), "ethernet"), [
      ethernet,
    ]);
    assert.deepEqual(decodeHeaders(bytes(REQUEST.replace("45 ", "65 ")), "ipv4"), []);
    assert.deepEqual(decodeHeaders(bytes(REQUEST.replace("45 ", "44 ")), "ipv4"), []);
  });
});
