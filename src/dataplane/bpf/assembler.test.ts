// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { wire } from "../netlink/wire.ts";
import {
  type Line,
  R0,
  R1,
  R10,
  R2,
  R3,
  R6,
  R9,
  add64,
  and64,
  assemble,
  be16,
  call,
  exit,
  ja,
  jeq,
  jgt,
  jle,
  jne,
  label,
  ldMap,
  ldx,
  lsh64,
  mov32,
  mov64,
  or64,
  rsh64,
  st,
  stx,
  xor64,
} from "./assembler.ts";

const NUMBERS: readonly (readonly [string, Line, Uint8Array])[] = [
  ["mov64 r6, r1", mov64(R6, R1), wire`bf 16 00 00 00 00 00 00`],
  ["mov64 r0, -1", mov64(R0, -1), wire`b7 00 00 00 ff ff ff ff`],
  ["mov32 r2, 0xc0a80001", mov32(R2, 0xc0a80001), wire`b4 02 00 00 01 00 a8 c0`],
  ["mov32 r1, r1", mov32(R1, R1), wire`bc 11 00 00 00 00 00 00`],
  ["add64 r2, -8", add64(R2, -8), wire`07 02 00 00 f8 ff ff ff`],
  ["add64 r1, r2", add64(R1, R2), wire`0f 21 00 00 00 00 00 00`],
  ["or64 r9, 3", or64(R9, 3), wire`47 09 00 00 03 00 00 00`],
  ["and64 r1, 0xf0", and64(R1, 0xf0), wire`57 01 00 00 f0 00 00 00`],
  ["xor64 r1, 0xffff", xor64(R1, 0xffff), wire`a7 01 00 00 ff ff 00 00`],
  ["lsh64 r3, 8", lsh64(R3, 8), wire`67 03 00 00 08 00 00 00`],
  ["rsh64 r3, r9", rsh64(R3, R9), wire`7f 93 00 00 00 00 00 00`],
  ["be16 r3", be16(R3), wire`dc 03 00 00 10 00 00 00`],
  ["ldxb r1, [r6 + 14]", ldx("b", R1, R6, 14), wire`71 61 0e 00 00 00 00 00`],
  ["ldxh r1, [r6 + 14]", ldx("h", R1, R6, 14), wire`69 61 0e 00 00 00 00 00`],
  ["ldxw r1, [r6 + 76]", ldx("w", R1, R6, 76), wire`61 61 4c 00 00 00 00 00`],
  ["ldxdw r1, [r10 - 8]", ldx("dw", R1, R10, -8), wire`79 a1 f8 ff 00 00 00 00`],
  ["stw [r10 - 8], 32", st("w", R10, -8, 32), wire`62 0a f8 ff 20 00 00 00`],
  ["stb [r10 - 1], 4", st("b", R10, -1, 4), wire`72 0a ff ff 04 00 00 00`],
  ["stxw [r10 - 4], r1", stx("w", R10, -4, R1), wire`63 1a fc ff 00 00 00 00`],
  ["stxdw [r10 - 16], r9", stx("dw", R10, -16, R9), wire`7b 9a f0 ff 00 00 00 00`],
  ["call 50", call(50), wire`85 00 00 00 32 00 00 00`],
  ["exit", exit(), wire`95 00 00 00 00 00 00 00`],
];
for (const [name, line, bytes] of NUMBERS) {
  test(`${name} is encoded`, () => {
    assert.deepEqual(assemble([line]), bytes);
  });
}

test("jumps count the instructions between, a map's two included, in both directions", () => {
  const program = [
    label("start"),
    jeq(R0, 0, "end"),
    ldMap(R1, "blocks"),
    jne(R1, R2, "start"),
    label("middle"),
    jgt(R1, 5, "end"),
    jle(R1, R2, "middle"),
    ja("end"),
    label("end"),
    exit(),
  ];
  assert.deepEqual(
    assemble(program, { blocks: 7 }),
    wire`
      15 00 06 00 00 00 00 00
      18 11 00 00 07 00 00 00  // the first half of the map's address is its descriptor
      00 00 00 00 00 00 00 00
      5d 21 fc ff 00 00 00 00
      25 01 02 00 05 00 00 00
      bd 21 fe ff 00 00 00 00
      05 00 00 00 00 00 00 00
      95 00 00 00 00 00 00 00
    `,
  );
});

test("what is not there cannot be referred to", () => {
  assert.throws(() => assemble([ja("nowhere")]), {
    name: "SyntaxError",
    message: 'Cannot assemble program: there is no label "nowhere"',
  });
  assert.throws(() => assemble([ldMap(R1, "nothing")], { other: 3 }), {
    name: "SyntaxError",
    message: 'Cannot assemble program: there is no map "nothing"',
  });
  assert.throws(() => assemble([label("twice"), exit(), label("twice")]), {
    name: "SyntaxError",
    message: 'Cannot assemble program: label "twice" is there twice',
  });
});

test("numbers that do not fit are refused", () => {
  const far = Array<Line>(0x8000).fill(exit());
  assert.throws(() => assemble([ja("far"), ...far, label("far"), exit()]), RangeError);
  assert.doesNotThrow(() => assemble([ja("far"), ...far.slice(1), label("far"), exit()]));
  assert.throws(() => assemble([label("far"), ...far, ja("far")]), RangeError);
  assert.throws(() => assemble([ldx("w", R1, R6, 0x8000)]), {
    message: "Cannot assemble program: offset 32768 is outside -32768 to 32767",
  });
  for (const immediate of [2 ** 32, -(2 ** 31) - 1, 0.5, NaN])
    assert.throws(() => assemble([mov64(R1, immediate)]), RangeError, String(immediate));
});
