// SPDX-License-Identifier: Apache-2.0
// Generic netlink: kernel subsystems ("families") get their numbers at run time, and are asked for by name.
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { getU8 } from "./integer.ts";
import { type NetlinkMessage, NLM_F_ACK, checkHeader } from "./message.ts";
import type { Dump } from "./request.ts";

// linux/genetlink.h
// #define GENL_ID_CTRL NLMSG_MIN_TYPE, which is 0x10 (linux/netlink.h)
const GENL_ID_CTRL = 0x10;
// enum of the controller's commands
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
// enum of the controller's attributes
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_VERSION = 3;
const CTRL_VERSION = 2;

const GENL_HDRLEN = 4;

/** A subsystem that speaks generic netlink. */
export interface GenlFamily {
  /** The message type of its requests and answers. Another one after its module was loaded anew. */
  readonly id: number;
  readonly name: string;
  readonly version: number;
}

/** The beginning of a message to a family; its attributes follow. */
export function genlMessage(command: number, version: number): AttributeEncoder {
  // struct genlmsghdr { __u8 cmd; __u8 version; __u16 reserved; }
  return new AttributeEncoder(Uint8Array.of(command, version, 0, 0));
}

/** The attributes of a family's message, or `undefined` where it is another family's or command's. */
export function genlAttributes(
  { type, body }: NetlinkMessage,
  family: Pick<GenlFamily, "id">,
  command: number,
): AttributeDecoder | undefined {
  if (type !== family.id) return undefined;
  checkHeader(body, GENL_HDRLEN, "genlmsghdr");
  return getU8(body, 0) === command ? new AttributeDecoder(body, GENL_HDRLEN) : undefined;
}

/** The family of that name; listing it loads the module that has it, and fails with `ENOENT` where there is none. */
export function getGenlFamily(name: string): Dump<GenlFamily> {
  return {
    request: {
      description: `find netlink family "${name}"`,
      type: GENL_ID_CTRL,
      flags: NLM_F_ACK,
      body: genlMessage(CTRL_CMD_GETFAMILY, CTRL_VERSION).string(CTRL_ATTR_FAMILY_NAME, name).finish(),
    },
    decode: decodeFamily,
  };
}

function decodeFamily(message: NetlinkMessage): GenlFamily | undefined {
  const attributes = genlAttributes(message, { id: GENL_ID_CTRL }, CTRL_CMD_NEWFAMILY);
  if (attributes === undefined) return undefined;
  let [id, name, version] = [0, "", 0];
  while (attributes.next()) {
    if (attributes.type === CTRL_ATTR_FAMILY_ID) id = attributes.u16();
    if (attributes.type === CTRL_ATTR_FAMILY_NAME) name = attributes.string();
    if (attributes.type === CTRL_ATTR_VERSION) version = attributes.u32();
  }
  return { id, name, version };
}
