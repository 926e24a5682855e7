// SPDX-License-Identifier: Apache-2.0
// Maps and programs in the real kernel, which runs the programs on packets made here; nothing is attached to anything.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Line, R0, R1, assemble, exit, ldx, mov64 } from "../../src/dataplane/bpf/assembler.ts";
import { BpfError } from "../../src/dataplane/bpf/bpf-error.ts";
import {
  BLOCKS,
  NODES,
  TC_ACT_SHOT,
  TC_ACT_UNSPEC,
  decapsulation,
  encapsulation,
} from "../../src/dataplane/bpf/ipip-programs.ts";
import {
  BPF_F_NO_PREALLOC,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LPM_TRIE,
  createMap,
  openMap,
} from "../../src/dataplane/bpf/map.ts";
import { type BpfRun, listMapsOfProgram, loadProgram, runProgram } from "../../src/dataplane/bpf/program.ts";
import { isKernelError } from "../../src/dataplane/netlink/kernel-error.ts";
import { ipToBytes } from "../../src/net/ip.ts";
import { type Ipv4, parseIpv4 } from "../../src/net/ipv4.ts";

const OWN = parseIpv4("192.168.0.101");
const PEER = parseIpv4("192.168.0.102");
const STRANGER = parseIpv4("192.168.0.66");
/** A container here and one there. */
const HERE = parseIpv4("10.1.101.3");
const THERE = parseIpv4("10.1.102.7");

const TRIE = { name: "t_trie", type: BPF_MAP_TYPE_LPM_TRIE, keyBytes: 8, valueBytes: 4, maxEntries: 3 };
const HASH = { name: "t_hash", type: BPF_MAP_TYPE_HASH, keyBytes: 4, valueBytes: 4, maxEntries: 2 };
const trie = { ...TRIE, flags: BPF_F_NO_PREALLOC };
const hash = { ...HASH, flags: 0 };

const ETHERNET = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0);

interface Header {
  readonly from: Ipv4;
  readonly to: Ipv4;
  readonly tos?: number;
  readonly protocol?: number;
  readonly fragment?: number;
  readonly version?: number;
}

function packet(
  { from, to, tos = 0, protocol = 17, fragment = 0, version = 0x45 }: Header,
  payload: Uint8Array,
) {
  const bytes = Buffer.alloc(20 + payload.length);
  bytes.set([version, tos, 0, 0, 0x12, 0x34, 0, 0, 61, protocol, 0, 0, ...ipToBytes(from), ...ipToBytes(to)]);
  bytes.writeUInt16BE(bytes.length, 2);
  bytes.writeUInt16BE(fragment, 6);
  bytes.writeUInt16BE(0xffff ^ sum(bytes.subarray(0, 20)), 10);
  bytes.set(payload, 20);
  return bytes;
}

/** RFC 1071. */
function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

const frame = (ip: Uint8Array): Uint8Array => Uint8Array.of(...ETHERNET, ...ip);
/** The kernel makes no IPv4 packet for a run that has not the length of one. */
const short = (ip: Uint8Array): Uint8Array =>
  Uint8Array.of(...ETHERNET.subarray(0, 12), 0x88, 0xb5, ...ip.subarray(0, 19));
const PAYLOAD = Uint8Array.from({ length: 100 }, (_, index) => index);

function encapsulate(bytes: Uint8Array): BpfRun {
  using blocks = createMap(trie);
  blocks.set(Uint8Array.of(26, 0, 0, 0, 10, 1, 102, 0), ipToBytes(PEER));
  using program = loadProgram("t_out", assemble(encapsulation(OWN), { [BLOCKS]: blocks.fd }));
  return runProgram(program, bytes);
}

function decapsulate(bytes: Uint8Array): BpfRun {
  using nodes = createMap(hash);
  nodes.set(ipToBytes(PEER), new Uint8Array(4));
  using program = loadProgram("t_in", assemble(decapsulation(OWN), { [NODES]: nodes.fd }));
  return runProgram(program, bytes);
}

test("a packet for a block gets an outer header, and is as it was behind it", () => {
  for (const tos of [0, 1, 2, 3, 0xb8, 0xbb, 0xff]) {
    const inner = packet({ from: HERE, to: THERE, tos }, PAYLOAD);
    const run = encapsulate(frame(inner));
    assert.equal(run.action, TC_ACT_UNSPEC);
    const out = Buffer.from(run.packet);
    assert.deepEqual([...out.subarray(0, 14)], [...ETHERNET]);
    assert.deepEqual([...out.subarray(34)], [...inner]);
    const outer = out.subarray(14, 34);
    assert.equal(sum(outer), 0xffff);
    assert.deepEqual([outer[0], outer[1], outer.readUInt16BE(2)], [0x45, tos, inner.length + 20]);
    assert.deepEqual([outer.readUInt16BE(6), outer[8], outer[9]], [0x4000, 64, 4]);
    assert.deepEqual([...outer.subarray(12)], [...ipToBytes(OWN), ...ipToBytes(PEER)]);
  }
});

const NOT_FOR_A_BLOCK = {
  "to another destination": frame(packet({ from: HERE, to: parseIpv4("10.1.102.64") }, PAYLOAD)),
  "of another version": frame(packet({ from: HERE, to: THERE, version: 0x65 }, PAYLOAD)),
  "too short for a header": short(packet({ from: HERE, to: THERE }, PAYLOAD)),
};
for (const [what, bytes] of Object.entries(NOT_FOR_A_BLOCK)) {
  test(`a packet ${what} goes out as it is`, () => {
    assert.deepEqual(encapsulate(bytes), { action: TC_ACT_UNSPEC, packet: bytes });
  });
}

test("what one program made is undone by the other", () => {
  const inner = frame(packet({ from: THERE, to: HERE, tos: 0xb9 }, PAYLOAD));
  const outer = frame(packet({ from: PEER, to: OWN, tos: 0xb9, protocol: 4 }, inner.subarray(14)));
  assert.deepEqual(decapsulate(outer), { action: TC_ACT_UNSPEC, packet: inner });
});

/** RFC 6040, figure 4: the inner codepoint, then what comes out for an outer 00, 10, 01, 11; -1 is a drop. */
const ECN: readonly (readonly [number, readonly number[]])[] = [
  [0b00, [0b00, 0b00, 0b00, -1]],
  [0b10, [0b10, 0b10, 0b01, 0b11]],
  [0b01, [0b01, 0b01, 0b01, 0b11]],
  [0b11, [0b11, 0b11, 0b11, 0b11]],
];
for (const [inner, row] of ECN) {
  test(`congestion seen by routers reaches a packet of ECN ${inner.toString(2).padStart(2, "0")}`, () => {
    for (const dscp of [0, 0xb8, 0xfc]) {
      const made = (tos: number): Buffer => packet({ from: THERE, to: HERE, tos }, PAYLOAD);
      const out = [0b00, 0b10, 0b01, 0b11].map((outer) =>
        // The outer DSCP is the underlay's own business.
        decapsulate(frame(packet({ from: PEER, to: OWN, tos: outer, protocol: 4 }, made(dscp | inner)))),
      );
      for (const [index, ecn] of row.entries()) {
        if (ecn < 0) assert.equal(out[index]?.action, TC_ACT_SHOT);
        else assert.deepEqual(out[index], { action: TC_ACT_UNSPEC, packet: frame(made(dscp | ecn)) });
      }
    }
  });
}

const INNER = packet({ from: THERE, to: HERE }, PAYLOAD);
const damaged = packet({ from: PEER, to: OWN, protocol: 4 }, INNER);
damaged[8] = 60;
const DROPPED = {
  "from a stranger": packet({ from: STRANGER, to: OWN, protocol: 4 }, INNER),
  "in a first fragment": packet({ from: PEER, to: OWN, protocol: 4, fragment: 0x2000 }, INNER),
  "in a later fragment": packet({ from: PEER, to: OWN, protocol: 4, fragment: 1 }, INNER),
  "with options": packet({ from: PEER, to: OWN, protocol: 4, version: 0x46 }, INNER),
  "with a wrong checksum": damaged,
  "with half a header inside": packet({ from: PEER, to: OWN, protocol: 4 }, INNER.subarray(0, 19)),
  "with another protocol inside": packet(
    { from: PEER, to: OWN, protocol: 4 },
    packet({ from: THERE, to: HERE, version: 0x65 }, PAYLOAD),
  ),
};
for (const [what, bytes] of Object.entries(DROPPED)) {
  test(`a tunnelled packet ${what} is dropped`, () => {
    assert.equal(decapsulate(frame(bytes)).action, TC_ACT_SHOT);
  });
}

const LEFT_ALONE = {
  "of another protocol": frame(packet({ from: PEER, to: OWN, protocol: 17 }, INNER)),
  "to somebody else": frame(packet({ from: PEER, to: STRANGER, protocol: 4 }, INNER)),
  "too short for a header": short(packet({ from: PEER, to: OWN, protocol: 4 }, INNER)),
};
for (const [what, bytes] of Object.entries(LEFT_ALONE)) {
  test(`a packet ${what} is left alone`, () => {
    assert.deepEqual(decapsulate(bytes), { action: TC_ACT_UNSPEC, packet: bytes });
  });
}

test("entries of a map are written, found, listed and deleted", () => {
  using map = createMap(trie);
  const [wide, narrow] = [Uint8Array.of(16, 0, 0, 0, 10, 1, 0, 0), Uint8Array.of(24, 0, 0, 0, 10, 1, 2, 0)];
  const [first, second] = [Uint8Array.of(1, 1, 1, 1), Uint8Array.of(2, 2, 2, 2)];
  assert.deepEqual([...map.entries()], []);
  map.set(wide, second);
  map.set(wide, first);
  map.set(narrow, second);
  assert.deepEqual(map.lookup(Uint8Array.of(32, 0, 0, 0, 10, 1, 2, 9)), second);
  assert.deepEqual(map.lookup(Uint8Array.of(32, 0, 0, 0, 10, 1, 3, 9)), first);
  assert.equal(map.lookup(Uint8Array.of(32, 0, 0, 0, 10, 2, 3, 9)), undefined);
  assert.deepEqual(
    new Map(Array.from(map.entries(), ([key, value]) => [key.join("."), value.join(".")])),
    new Map([
      ["24.0.0.0.10.1.2.0", "2.2.2.2"],
      ["16.0.0.0.10.1.0.0", "1.1.1.1"],
    ]),
  );
  assert.equal(map.delete(narrow), true);
  assert.equal(map.delete(narrow), false);
});

test("a full map, a wrong length, a bad name and a closed map are refused", () => {
  using map = createMap(hash);
  map.set(ipToBytes(OWN), new Uint8Array(4));
  map.set(ipToBytes(PEER), new Uint8Array(4));
  assert.throws(
    () => {
      map.set(ipToBytes(STRANGER), new Uint8Array(4));
    },
    (error) => isKernelError(error, "E2BIG"),
  );
  assert.throws(() => map.lookup(new Uint8Array(5)), {
    message: 'Cannot read BPF map "t_hash": want a key of 4 bytes, have 5',
  });
  assert.throws(() => {
    map.set(new Uint8Array(4), new Uint8Array(3));
  }, RangeError);
  for (const name of ["", "sixteen_letters_", "a-b"])
    assert.throws(() => createMap({ ...hash, name }), SyntaxError, name);
  map[Symbol.dispose]();
  assert.throws(() => map.lookup(ipToBytes(OWN)), { message: 'Cannot read BPF map "t_hash": it is closed' });
});

test("the maps of a program that nobody holds open are found by its id", () => {
  using blocks = createMap(trie);
  blocks.set(Uint8Array.of(8, 0, 0, 0, 10, 0, 0, 0), ipToBytes(PEER));
  using program = loadProgram("t_out", assemble(encapsulation(OWN), { [BLOCKS]: blocks.fd }));
  blocks[Symbol.dispose]();
  const [id, ...others] = listMapsOfProgram(program.id);
  assert.deepEqual(others, []);
  using found = openMap(id ?? assert.fail("the program has no map"));
  assert.deepEqual(found.shape, trie);
  assert.deepEqual(found.lookup(Uint8Array.of(32, 0, 0, 0, 10, 9, 9, 9)), ipToBytes(PEER));
  assert.throws(
    () => openMap(0x7fff_ffff),
    (error) => isKernelError(error, "ENOENT"),
  );
  assert.throws(
    () => listMapsOfProgram(0x7fff_ffff),
    (error) => isKernelError(error, "ENOENT"),
  );
});

test("a program that reads outside of the packet is refused, with the verifier's reason", () => {
  const lines: readonly Line[] = [ldx("w", R1, R1, 76), ldx("b", R0, R1, 14), mov64(R0, 0), exit()];
  assert.throws(
    () => loadProgram("t_bad", assemble(lines)),
    (error) => {
      assert.ok(error instanceof BpfError);
      assert.equal(error.code, "EACCES");
      assert.match(error.message, /^Cannot load BPF program "t_bad": .*outside.*, at 1: \(71\)/);
      assert.match(error.log, /processed 2 insns/);
      return true;
    },
  );
});
