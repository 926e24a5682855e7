// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { parseIfName } from "../net/if-name.ts";
import { describeAttachment } from "./attachment.ts";

const ID = { network: "margay", containerId: "a1b2", ifName: parseIfName("eth0") };

it("describeAttachment() derives everything from the identity alone", () => {
  const attachment = describeAttachment(ID);
  assert.equal(attachment.handleId, "margay.a1b2");
  assert.match(attachment.nodeEnd, /^cali[0-9a-f]{11}$/);
  assert.deepEqual(describeAttachment({ ...ID }), attachment);
});

it("describeAttachment() tells attachments apart by network, container and interface", () => {
  const others = [
    { ...ID, network: "other" },
    { ...ID, containerId: "a1b3" },
    { ...ID, ifName: parseIfName("eth1") },
  ];
  const names = new Set([ID, ...others].map((id) => describeAttachment(id).nodeEnd));
  assert.equal(names.size, 4);
});

it("describeAttachment() gives locally administered, unicast MAC addresses", () => {
  for (let index = 0; index < 200; index++) {
    const { mac } = describeAttachment({ ...ID, containerId: `c${index}` });
    assert.equal(parseInt(mac.slice(0, 2), 16) & 0b11, 0b10, mac);
  }
});
