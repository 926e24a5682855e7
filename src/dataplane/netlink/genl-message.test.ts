// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "./connection.ts";
import { acknowledgement, createFakeSocket } from "./fake-socket.ts";
import { genlAttributes, genlMessage, getGenlFamily } from "./genl-message.ts";
import type { NetlinkMessage } from "./message.ts";
import { truncations, wire } from "./wire.ts";

const ETHTOOL_WIRE = wire`
  01 02 00 00  // CTRL_CMD_NEWFAMILY
  0c 00 02 00  // CTRL_ATTR_FAMILY_NAME
  65 74 68 74
  6f 6f 6c 00  // "ethtool"
  06 00 01 00  // CTRL_ATTR_FAMILY_ID
  15 00 00 00
  08 00 03 00  // CTRL_ATTR_VERSION
  01 00 00 00
  08 00 04 00  // CTRL_ATTR_HDRSIZE
  00 00 00 00
`;

function message(body: Uint8Array, type = 0x10): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

test("a family is asked for by its name", () => {
  const { type, body, description } = getGenlFamily("ethtool").request;
  assert.deepEqual([type, description], [0x10, 'find netlink family "ethtool"']);
  assert.deepEqual(body, wire`03 02 00 00 0c 00 02 00 65 74 68 74 6f 6f 6c 00`);
});

test("a family has its number, name and version in the answer", () => {
  const family = getGenlFamily("ethtool").decode(message(ETHTOOL_WIRE));
  assert.deepEqual(family, { id: 21, name: "ethtool", version: 1 });
});

test("a family cut off inside an attribute is malformed", () => {
  const wholeAt = [4, 16, 22, 23, 24, 32];
  const dump = getGenlFamily("ethtool");
  for (const body of truncations(ETHTOOL_WIRE)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => dump.decode(message(body)));
    else assert.throws(() => dump.decode(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("a message of another family or command has none of the attributes", () => {
  const body = genlMessage(5, 1).u32(1, 7).finish();
  assert.deepEqual(body, wire`05 01 00 00 08 00 01 00 07 00 00 00`);
  assert.equal(genlAttributes(message(body, 30), { id: 31 }, 5), undefined);
  assert.equal(genlAttributes(message(body, 30), { id: 30 }, 6), undefined);
  const attributes = genlAttributes(message(body, 30), { id: 30 }, 5);
  assert.ok(attributes !== undefined && attributes.next());
  assert.deepEqual([attributes.type, attributes.u32()], [1, 7]);
});

test("the answer ends with the acknowledgement", async () => {
  const socket = createFakeSocket((request) => {
    const { sequence, portId } = request;
    return [[{ type: 0x10, flags: 0, sequence, portId, body: ETHTOOL_WIRE }], [acknowledgement(request, 0)]];
  });
  await using connection = new Connection(socket);
  assert.deepEqual(
    (await connection.list(getGenlFamily("ethtool"))).map(({ id }) => id),
    [21],
  );
});
