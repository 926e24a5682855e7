// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeHeaders } from "./decode-headers.ts";
import { icmpErrorOf, innermost, outerIp, resolutionOf } from "./headers.ts";

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
    assert.deepEqual(decodeHeaders(bytes(REQUEST), "ip"), [ip, icmp]);
  });

  it("are found behind options", () => {
    const options = REQUEST.replace("45 00 00 1c", "46 00 00 20").replace("40 01\n", "40 01 01 01 01 01\n");
    assert.deepEqual(decodeHeaders(bytes(options), "ip"), [{ ...ip, length: 32 }, icmp]);
  });

  it("are those of IPIP, the outer one first", () => {
    const outer = "45 00 00 30 00 00 40 00 40 04 00 00 c0 a8 00 65 c0 a8 00 66";
    const headers = decodeHeaders(bytes(outer + REQUEST), "ip");
    assert.deepEqual(
      headers.map(({ kind }) => kind),
      ["ipv4", "ipv4", "icmp"],
    );
    assert.equal(outerIp(headers)?.dst, "192.168.0.102");
    assert.equal(innermost(headers).ip?.dst, "10.1.64.1");
    assert.equal(innermost(headers).payload?.kind, "icmp");
    assert.equal(outerIp(decodeHeaders(bytes(REQUEST), "ip")), undefined);
  });

  it("are those of VXLAN, where the port is one of it", () => {
    const outer = `
      45 00 00 4e 00 00 40 00 40 11 00 00 c0 a8 00 65 c0 a8 00 66
      9c 40 12 b5 00 3a 00 00 08 00 00 00 00 10 00 00 `;
    const frame = bytes(outer + ETHERNET + REQUEST);
    assert.deepEqual(decodeHeaders(frame, "ip", [4789]).slice(1), [
      { kind: "udp", srcPort: 40_000, dstPort: 4789 },
      { kind: "vxlan", vni: 4096 },
      ethernet,
      ip,
      icmp,
    ]);
    assert.equal(decodeHeaders(frame, "ip", []).length, 2);
  });

  it("are those of TCP, with its flags", () => {
    const syn = `
      45 00 00 28 00 00 40 00 3f 06 00 00 0a 01 00 01 0a 01 40 01
      c0 01 00 50 00 00 00 00 00 00 00 00 50 12 00 00 00 00 00 00`;
    assert.deepEqual(innermost(decodeHeaders(bytes(syn), "ip")).payload, {
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
    const headers = decodeHeaders(bytes(error + REQUEST), "ip");
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
    assert.deepEqual(decodeHeaders(bytes(REQUEST.replace("45 ", "65 ")), "ip"), []);
    assert.deepEqual(decodeHeaders(bytes(REQUEST.replace("45 ", "44 ")), "ip"), []);
  });
});

describe("the headers of IPv6", () => {
  const FRAME = "33 33 00 00 00 01 02 00 00 00 00 0a 86 dd";
  const from = "fd 10 00 00 00 00 00 00 00 00 00 00 00 00 00 01";
  const to = "fd 10 00 00 00 00 00 00 00 00 00 00 00 00 00 02";
  const ip6 = (payload: string, next = "3a"): string =>
    `60 00 00 00 00 ${payload.trim().split(/\s+/).length.toString(16).padStart(2, "0")} ${next} 40 ${from} ${to} ${payload} `;
  const decode = (text: string) => decodeHeaders(bytes(text), "ip");
  const header = { kind: "ipv6", src: "fd10::1", dst: "fd10::2", protocol: 58, ttl: 64, length: 48 };

  it("are its own and those of ICMPv6, with or without a frame", () => {
    const echo = ip6("80 00 00 00 12 34 44 41");
    const wanted = [
      header,
      { kind: "icmp6", type: 128, code: 0, echo: { identifier: 0x1234, sequence: 0x4441 } },
    ];
    assert.deepEqual(decode(echo), wanted);
    assert.deepEqual(decodeHeaders(bytes(`${FRAME} ${echo}`), "ethernet").slice(1), wanted);
  });

  it("of an error are those that it quotes, and what would have passed", () => {
    const [, error] = decode(ip6(`02 00 00 00 00 00 05 00 ${ip6("80 00 00 00 12 34 44 41")}`));
    assert.equal(error?.kind === "icmp6" && error.mtu, 1280);
    assert.equal(error?.kind === "icmp6" && error.quoted?.length, 2);
    const closed = decode(ip6(`01 04 00 00 00 00 00 00 ${ip6("00 35 c0 01", "11")}`))[1];
    assert.equal(closed?.kind === "icmp6" ? icmpErrorOf(closed) : undefined, "portUnreachable");
  });

  it("are those of neighbour discovery, with the MAC address that an answer tells", () => {
    const target = "fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 09";
    const ask = decode(ip6(`87 00 00 00 00 00 00 00 ${target} 01 01 02 00 00 00 00 0a`));
    assert.deepEqual(resolutionOf(ask), { kind: "nd", operation: "request", ip: "fd00::9" });
    const told = decode(ip6(`88 00 00 00 60 00 00 00 ${target} 02 01 02 00 00 00 00 0b`));
    assert.deepEqual(resolutionOf(told), {
      kind: "nd",
      operation: "reply",
      ip: "fd00::9",
      mac: "02:00:00:00:00:0b",
    });
    // An option of no length would never end.
    const endless = decode(ip6(`88 00 00 00 60 00 00 00 ${target} 01 00 02 00 00 00 00 0b`));
    assert.equal(resolutionOf(endless)?.mac, undefined);
  });

  it("are those of ARP", () => {
    const arp = (op: string): string =>
      `ff ff ff ff ff ff 02 00 00 00 00 0a 08 06 00 01 08 00 06 04 ${op} 02 00 00 00 00 0a c0 a8 00 65 00 00 00 00 00 00 c0 a8 00 66`;
    assert.deepEqual(resolutionOf(decodeHeaders(bytes(arp("00 01")), "ethernet")), {
      kind: "arp",
      operation: "request",
      ip: "192.168.0.102",
    });
    assert.deepEqual(resolutionOf(decodeHeaders(bytes(arp("00 02")), "ethernet")), {
      kind: "arp",
      operation: "reply",
      ip: "192.168.0.101",
      mac: "02:00:00:00:00:0a",
    });
    assert.equal(resolutionOf(decodeHeaders(bytes(arp("00 08")), "ethernet")), undefined);
  });

  it("end where the packet is cut short, wherever that is", () => {
    const whole = bytes(ip6(`02 00 00 00 00 00 05 00 ${ip6("80 00 00 00 12 34 44 41")}`));
    for (let length = 0; length < whole.length; length++)
      assert.ok(decodeHeaders(whole.subarray(0, length), "ip").length <= 2);
  });
});
