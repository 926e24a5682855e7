// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIfName } from "../../net/if-name.ts";
import { decodeLink, deleteLink, getLink, listLinks, setLink } from "./link.ts";
import type { NetlinkMessage } from "./message.ts";
import { truncations, wire } from "./wire.ts";

const VETH = wire`
  00 00 01 00  // AF_UNSPEC, ARPHRD_ETHER
  05 00 00 00  // index 5
  43 10 01 00  // flags: up, broadcast, running, multicast, lower up
  00 00 00 00
  0a 00 03 00  // IFLA_IFNAME
  63 61 6c 69
  31 00 00 00  // "cali1"
  08 00 04 00  // IFLA_MTU
  dc 05 00 00
  08 00 05 00  // IFLA_LINK
  02 00 00 00
  08 00 0a 00  // IFLA_MASTER
  09 00 00 00
  0a 00 01 00  // IFLA_ADDRESS
  ee ee ee ee
  ee ee 00 00
  10 00 12 00  // IFLA_LINKINFO
  09 00 01 00  // IFLA_INFO_KIND
  76 65 74 68
  00 00 00 00  // "veth"
`;

function message(body: Uint8Array, type = 16): NetlinkMessage {
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

test("a link has its name, kind, address, and what it hangs together with", () => {
  assert.deepEqual(decodeLink(message(VETH)), {
    index: 5,
    name: "cali1",
    kind: "veth",
    mac: "ee:ee:ee:ee:ee:ee",
    mtu: 1500,
    up: true,
    running: true,
    masterIndex: 9,
    peerIndex: 2,
    flags: 0x11043,
  });
});

test("a link cut off inside an attribute is malformed", () => {
  const wholeAt = [16, 26, 27, 28, 36, 44, 52, 62, 63, 64];
  for (const body of truncations(VETH)) {
    if (wholeAt.includes(body.length)) assert.doesNotThrow(() => decodeLink(message(body)));
    else assert.throws(() => decodeLink(message(body)), RangeError, `${body.length} bytes`);
  }
});

test("a bridge port's message is not taken for the link", () => {
  const body = VETH.slice();
  body[0] = 7; // AF_BRIDGE
  assert.equal(decodeLink(message(body)), undefined);
});

test("a link with a name that nobody may give is left out, and does not spoil the listing", () => {
  const body = VETH.slice();
  body[20] = 0x25; // "%ali1"
  assert.equal(listLinks.decode(message(body)), undefined);
});

test("an address that is no MAC address is left out", () => {
  const body = wire`
    00 00 04 03 01 00 00 00 41 00 00 00 00 00 00 00
    07 00 03 00 6c 6f 00 00
    08 00 01 00 0a 00 00 01
  `;
  const link = decodeLink(message(body));
  assert.deepEqual([link?.name, link?.mac, link?.up, link?.running], ["lo", undefined, true, false]);
});

test("only an RTM_NEWLINK answers a listing", () => {
  assert.equal(listLinks.decode(message(VETH, 17)), undefined);
  assert.equal(listLinks.decode(message(VETH))?.index, 5);
});

test("a change carries only what changes", () => {
  assert.deepEqual(
    setLink({ index: 5, up: false }).body,
    wire`00 00 00 00 05 00 00 00 00 00 00 00 01 00 00 00`,
  );
  assert.deepEqual(
    setLink({ index: 5, newName: parseIfName("b"), masterIndex: 0 }).body,
    wire`
      00 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00
      06 00 03 00 62 00 00 00
      08 00 0a 00 00 00 00 00
    `,
  );
});

test("links are found by index or by name", () => {
  assert.equal(deleteLink({ index: 5 }).description, "delete link 5");
  assert.equal(deleteLink({ name: parseIfName("eth0") }).description, 'delete link "eth0"');
  assert.deepEqual(getLink(parseIfName("eth0")).request, getLink({ name: parseIfName("eth0") }).request);
});
