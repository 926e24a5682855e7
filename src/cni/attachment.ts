// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Attributes } from "../ipam/block.ts";
import { type IfName, parseIfName } from "../net/if-name.ts";
import { type Mac, macFromBytes } from "../net/mac.ts";

/** The specification identifies an attachment by these three. */
export interface AttachmentId {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: IfName;
}

/** Everything about an attachment that follows from its identity, so that DEL needs no record of ADD. */
export interface Attachment extends AttachmentId {
  /** The IPAM handle, Calico's `<network>.<containerID>`; the interface's name is kept beside it. */
  readonly handleId: string;
  /** The node end: `cali` and 11 hex digits, as long as an interface name may be. */
  readonly nodeEnd: IfName;
  /** The container end's MAC address, known before the interface exists. */
  readonly mac: Mac;
}

/** @param asked the MAC address that the container end is to have, where somebody asked for one */
export function describeAttachment(id: AttachmentId, asked?: Mac): Attachment {
  const { network, containerId, ifName } = id;
  // No part may hold a slash, so two attachments never give one text.
  const digest = createHash("sha1").update(`${network}/${containerId}/${ifName}`).digest();
  return {
    ...id,
    handleId: `${network}.${containerId}`,
    nodeEnd: parseIfName(`cali${digest.toString("hex").slice(0, 11)}`),
    mac: asked ?? localMac(digest.subarray(-6)),
  };
}

/** What IPAM keeps beside an address to tell attachments of one handle apart. */
export function attributesOf({ network, containerId, ifName }: AttachmentId): Attributes {
  return { network, containerID: containerId, interface: ifName };
}

/** Locally administered and unicast: bit 1 of the first octet set, bit 0 clear (IEEE 802-2014, 8.4). */
function localMac(bytes: Uint8Array): Mac {
  const [first = 0, ...rest] = bytes;
  return macFromBytes(Uint8Array.of((first | 0b10) & ~0b1, ...rest));
}
