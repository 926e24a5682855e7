// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { type NetlinkMessage, NLM_F_ACK, checkHeader } from "./message.ts";
import { openNetns } from "./netns.ts";
import type { Dump } from "./request.ts";
import type { Rtnetlink } from "./rtnetlink.ts";

// linux/rtnetlink.h
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;

// enum of linux/net_namespace.h
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
/** #define NETNSA_NSID_NOT_ASSIGNED -1 */
const NOT_ASSIGNED = 0xffff_ffff;

/** struct rtgenmsg { unsigned char rtgen_family; }, padded. */
const RTGENMSG_LENGTH = 4;

/** The number by which the asking namespace calls another, open as `fd`; nothing where it has none for it. */
export function getNetnsId(fd: number): Dump<number> {
  const body = new AttributeEncoder(new Uint8Array(RTGENMSG_LENGTH)).u32(NETNSA_FD, fd).finish();
  return {
    request: { description: "get number of network namespace", type: RTM_GETNSID, flags: NLM_F_ACK, body },
    decode: (message) => (message.type === RTM_NEWNSID ? decodeNetnsId(message) : undefined),
  };
}

/**
 * The namespaces of this machine that the asking one has numbers for, each by a path: those that have a name, then those of processes. No
 * call of the kernel's gives the namespace of a number.
 */
export async function listNetnsIds(rtnetlink: Rtnetlink): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  for (const path of [...namedPaths(), ...processPaths()]) {
    const id = await idOf(path, rtnetlink);
    if (id !== undefined && !found.has(id)) found.set(id, path);
  }
  return found;
}

/** `undefined` too for what is gone meanwhile, or no namespace: only who is asked for is missed. */
async function idOf(path: string, rtnetlink: Rtnetlink): Promise<number | undefined> {
  try {
    using netns = openNetns(path);
    const [id] = await rtnetlink.list(getNetnsId(netns.fd));
    return id;
  } catch {
    return undefined;
  }
}

function namedPaths(): readonly string[] {
  return namesIn("/run/netns").map((name) => `/run/netns/${name}`);
}

function processPaths(): readonly string[] {
  return namesIn("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `/proc/${pid}/ns/net`);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function decodeNetnsId({ body }: NetlinkMessage): number | undefined {
  checkHeader(body, RTGENMSG_LENGTH, "rtgenmsg");
  const attributes = new AttributeDecoder(body, RTGENMSG_LENGTH);
  let id: number | undefined;
  while (attributes.next()) if (attributes.type === NETNSA_NSID) id = attributes.u32();
  return id === NOT_ASSIGNED ? undefined : id;
}
