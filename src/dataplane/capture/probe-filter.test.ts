// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ipToBytes, parseIp } from "../../net/ip.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import { getU16, getU16be, getU32, getU32be, getU8 } from "../netlink/integer.ts";
import { truncations, wire } from "../netlink/wire.ts";
import { INSTRUCTION_BYTES } from "./filter.ts";
import { type Marker, encodeProbeFilter } from "./probe-filter.ts";

/**
 * What a kernel does with the program, as Documentation/networking/filter.rst says it: how many octets of the packet are copied. The packet begins with its
 * network header.
 */
function run(program: Uint8Array, packet: Uint8Array, etherType = 0x0800): number {
  let accumulator = 0;
  for (let at = 0; ; at += INSTRUCTION_BYTES) {
    const [code, jt, jf, k] = [
      getU16(program, at),
      getU8(program, at + 2),
      getU8(program, at + 3),
      getU32(program, at + 4),
    ];
    const offset = (k | 0) + 0x10_0000;
    try {
      switch (code) {
        case 0x20:
          accumulator = (k | 0) === -0x1000 ? etherType : getU32be(packet, offset);
          break;
        case 0x28:
          accumulator = getU16be(packet, offset);
          break;
        case 0x30:
          accumulator = getU8(packet, offset);
          break;
        case 0x54:
          accumulator = (accumulator & k) >>> 0;
          break;
        case 0x15:
          at += (accumulator === k ? jt : jf) * INSTRUCTION_BYTES;
          break;
        case 0x05:
          at += k * INSTRUCTION_BYTES;
          break;
        case 0x06:
          return k;
        default:
          assert.fail(`no such instruction: ${code}`);
      }
    } catch (error) {
      // A load from outside of the packet ends the program.
      if (error instanceof RangeError) return 0;
      throw error;
    }
  }
}

const [SRC, DST] = [parseIpv4("10.1.0.1"), parseIpv4("10.1.64.1")];
const ECHO: Marker = { kind: "icmp", src: SRC, dst: DST, identifier: 0x1234, sequence: 0x4440 };

const THERE = wire`
  45 00 00 1c // version, length
  00 00 40 00
  40 01 00 00 // TTL, ICMP
  0a 01 00 01
  0a 01 40 01`;
const BACK = wire`45 00 00 1c 00 00 00 00 40 01 00 00 0a 01 40 01 0a 01 00 01`;
const REQUEST = wire`08 00 00 00 12 34 44 41`;
const REPLY = wire`00 00 00 00 12 34 44 43`;
const UNREACHABLE = wire`03 00 00 00 00 00 00 00`;
/** From the node, whose address is none of the two. */
const FROM_NODE = wire`45 c0 00 38 00 00 00 00 40 01 00 00 c0 a8 00 65 0a 01 00 01`;
const IPIP = wire`45 00 00 30 00 00 40 00 40 04 00 00 c0 a8 00 65 c0 a8 00 66`;
const VXLAN = wire`
  45 00 00 4e 00 00 40 00 40 11 00 00 c0 a8 00 65 c0 a8 00 66
  9c 40 12 b5 00 3a 00 00 // UDP
  08 00 00 00 00 10 00 00 // VXLAN
  66 00 00 00 00 02 66 00 00 00 00 01 08 00`;

function packet(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The packet with one octet changed. */
function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  return bytes.map((octet, index) => (index === at ? value : octet));
}

describe("the filter of a probe", () => {
  const program = encodeProbeFilter(ECHO);
  const request = packet(THERE, REQUEST);
  const passing: Readonly<Record<string, Uint8Array>> = {
    "the probe": request,
    "its answer": packet(BACK, REPLY),
    "an error that quotes the probe": packet(FROM_NODE, UNREACHABLE, request),
    "an error that quotes the answer": packet(FROM_NODE, UNREACHABLE, packet(BACK, REPLY)),
    "the probe in IPIP": packet(IPIP, request),
    "the answer in IPIP": packet(IPIP, BACK, REPLY),
    "the probe in VXLAN": packet(VXLAN, request),
    "an error in VXLAN": packet(VXLAN, FROM_NODE, UNREACHABLE, request),
  };
  for (const [name, bytes] of Object.entries(passing))
    it(`lets ${name} pass, and nothing that is cut short`, () => {
      assert.equal(run(program, bytes), 320);
      for (const part of truncations(bytes)) assert.equal(run(program, part), 0);
    });

  const others: Readonly<Record<string, Uint8Array>> = {
    "from another sender": changed(request, 15, 2),
    "to another receiver": changed(request, 19, 2),
    "of another protocol": changed(request, 9, 17),
    "of another identifier": changed(request, 25, 0x35),
    "of another sequence": changed(request, 27, 0x44),
    "with options": changed(request, 0, 0x46),
    "in IPIP, from another sender": changed(packet(IPIP, request), 35, 2),
    "in VXLAN, of another identifier": changed(packet(VXLAN, request), 75, 0x35),
    "of IPv6 in VXLAN": changed(packet(VXLAN, request), 49, 0xdd),
  };
  for (const [name, bytes] of Object.entries(others))
    it(`lets nothing pass ${name}`, () => {
      assert.equal(run(program, bytes), 0);
    });

  it("looks at IPv4 alone", () => {
    assert.equal(run(program, request, 0x86dd), 0);
    assert.equal(run(program, request, 0x88cc), 0);
  });

  it("lets questions and answers of ARP pass, whoever they are about", () => {
    const arp = wire`00 01 08 00 06 04 00 01 02 00 00 00 00 0a 0a 01 00 01 00 00 00 00 00 00 a9 fe 01 01`;
    assert.equal(run(program, arp, 0x0806), 320);
    assert.equal(run(program, arp, 0x86dd), 0);
  });

  it("is one of IPv6 as well, as it is and in VXLAN over either family", () => {
    const [src, dst] = [parseIp("fd10::1"), parseIp("fd10::2")];
    const filter = encodeProbeFilter({ kind: "icmp", src, dst, identifier: 0x1234, sequence: 0x4440 });
    const ip = (from: string, to: string, next = "3a"): Uint8Array =>
      packet(
        wire`60 01 02 03 00 08`,
        Uint8Array.of(parseInt(next, 16), 64),
        ipToBytes(parseIp(from)),
        ipToBytes(parseIp(to)),
      );
    const [there, back] = [ip("fd10::1", "fd10::2"), ip("fd10::2", "fd10::1")];
    const echo = packet(there, wire`80 00 00 00 12 34 44 41`);
    const reply = packet(back, wire`81 00 00 00 12 34 44 41`);
    const inner = wire`9c 40 12 b5 00 3a 00 00 08 00 00 00 00 10 00 00 66 00 00 00 00 02 66 00 00 00 00 01 86 dd`;
    const tooBig = packet(ip("fd00::1", "fd10::1"), wire`02 00 00 00 00 00 05 00`, echo);
    const over6 = packet(ip("fd00::1", "fd00::2", "11"), inner, reply);
    for (const bytes of [echo, reply, tooBig, over6]) {
      assert.equal(run(filter, bytes, 0x86dd), 320);
      for (const part of truncations(bytes)) assert.equal(run(filter, part, 0x86dd), 0);
    }
    const over4 = packet(VXLAN.subarray(0, 20), inner, echo);
    assert.equal(run(filter, over4, 0x0800), 320);
    assert.equal(run(filter, changed(echo, 23, 9), 0x86dd), 0);
    assert.equal(run(filter, changed(reply, 47, 0x50), 0x86dd), 0);
    const solicitation = packet(ip("fd00::1", "ff02::1:ff00:2"), wire`87 00 00 00 00 00 00 00`);
    assert.equal(run(filter, solicitation, 0x86dd), 320);
  });

  for (const [kind, protocol] of [
    ["tcp", 6],
    ["udp", 17],
  ] as const)
    it(`tells ${kind} by both ports, either way`, () => {
      const filter = encodeProbeFilter({ kind, src: SRC, dst: DST, srcPort: 0xc001, dstPort: 53 });
      const there = packet(changed(THERE, 9, protocol), wire`c0 01 00 35 00 08 00 00`);
      const back = packet(changed(BACK, 9, protocol), wire`00 35 c0 01 00 08 00 00`);
      assert.equal(run(filter, there), 320);
      assert.equal(run(filter, back), 320);
      assert.equal(run(filter, packet(FROM_NODE, UNREACHABLE, there)), 320);
      assert.equal(run(filter, packet(changed(THERE, 9, protocol), wire`00 35 c0 01 00 08 00 00`)), 0);
      assert.equal(run(filter, changed(there, 23, 54)), 0);
    });
});
