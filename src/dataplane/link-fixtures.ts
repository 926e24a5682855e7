// SPDX-License-Identifier: Apache-2.0
// For tests: links as the kernel tells of them.
import { NODE_END_MAC } from "../desired/wanted.ts";
import { parseIfName } from "../net/if-name.ts";
import type { Link } from "./netlink/link.ts";

/** Of a container's link. */
export const END = parseIfName("cali0123456789a");
export const LINK: Link = {
  index: 7,
  name: END,
  kind: "veth",
  mac: NODE_END_MAC,
  mtu: 1500,
  up: true,
  running: true,
  flags: 0,
};
export const UNDERLAY: Link = { ...LINK, index: 2, name: parseIfName("eth0") };
