// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { KernelError, decodeError } from "./kernel-error.ts";
import type { NetlinkMessage } from "./message.ts";
import { truncations, wire } from "./wire.ts";

const OP = 'add route "10.0.0.0/24"';

function answer(type: number, flags: number, body: Uint8Array): NetlinkMessage {
  return { type, flags, sequence: 1, portId: 0, body };
}

/** As the kernel sends it with NETLINK_CAP_ACK: the request's header alone, then the attributes. */
const CAPPED = wire`
  ea ff ff ff  // -22, EINVAL
  24 00 00 00  // the request was 36 bytes long
  18 00 05 06
  01 00 00 00
  00 00 00 00
  0c 00 01 00  // NLMSGERR_ATTR_MSG
  42 61 64 20
  67 77 2e 00  // "Bad gw."
  08 00 02 00  // NLMSGERR_ATTR_OFFS
  1c 00 00 00
`;

test("an acknowledgement is no error", () => {
  const body = wire`00 00 00 00 24 00 00 00 18 00 05 06 01 00 00 00 00 00 00 00`;
  assert.equal(decodeError(OP, answer(2, 0x100, body)), undefined);
});

test("an error without words gets those of its number", () => {
  const body = wire`ef ff ff ff 24 00 00 00 18 00 05 06 01 00 00 00 00 00 00 00`;
  const error = decodeError(OP, answer(2, 0x100, body));
  assert.equal(error?.message, 'Cannot add route "10.0.0.0/24": file already exists (EEXIST)');
  assert.deepEqual([error.op, error.errno, error.code, error.extAck], [OP, 17, "EEXIST", undefined]);
});

test("an error with words says them, and where in the request it is", () => {
  const error = decodeError(OP, answer(2, 0x300, CAPPED));
  assert.equal(error?.message, 'Cannot add route "10.0.0.0/24": Bad gw (EINVAL)');
  assert.deepEqual([error.extAck, error.attributeOffset], ["Bad gw", 28]);
});

test("the words are found behind a request that is repeated whole", () => {
  const error = decodeError(
    OP,
    answer(
      2,
      0x200,
      wire`
        ea ff ff ff
        12 00 00 00  // 18 bytes, padded to 20
        18 00 05 06
        01 00 00 00
        00 00 00 00
        aa bb 00 00
        08 00 01 00
        4e 6f 2e 00  // "No."
      `,
    ),
  );
  assert.equal(error?.extAck, "No");
});

test("the end of a dump may be an error too", () => {
  const error = decodeError("list routes", answer(3, 0x202, wire`fe ff ff ff 08 00 01 00 4e 6f 2e 00`));
  assert.deepEqual([error?.code, error?.extAck], ["ENOENT", "No"]);
  assert.equal(decodeError("list routes", answer(3, 2, wire`00 00 00 00`)), undefined);
});

test("a missing attribute is named where the kernel says no more", () => {
  const body = wire`
    ea ff ff ff
    10 00 00 00
    18 00 05 06
    01 00 00 00
    00 00 00 00
    08 00 06 00  // NLMSGERR_ATTR_MISS_TYPE
    0f 00 00 00
  `;
  assert.equal(decodeError(OP, answer(2, 0x300, body))?.extAck, "attribute 15 is missing");
});

test("an error cut off anywhere but between attributes is malformed", () => {
  const wholeAt = [20, 32];
  for (const body of truncations(CAPPED)) {
    const decode = (): unknown => decodeError(OP, answer(2, 0x300, body));
    if (wholeAt.includes(body.length)) assert.doesNotThrow(decode);
    else assert.throws(decode, RangeError, `${body.length} bytes`);
  }
});

test("numbers with two names get the kernel's, and unknown ones still have a code", () => {
  const codes = [11, 95, 524, 4000].map((errno) => new KernelError("x", errno).code);
  assert.deepEqual(codes, ["EAGAIN", "EOPNOTSUPP", "ENOTSUPP", "ERRNO_4000"]);
});

test("what a file operation throws becomes a kernel error with its cause; other things stay as they are", () => {
  assert.throws(
    () => {
      try {
        readFileSync("/nowhere/at/all");
      } catch (error) {
        throw KernelError.from("read it", error);
      }
    },
    (error) => error instanceof KernelError && error.code === "ENOENT" && error.cause instanceof Error,
  );
  assert.equal(KernelError.from("read it", "text"), "text");
});
