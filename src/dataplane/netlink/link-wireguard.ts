// SPDX-License-Identifier: Apache-2.0
import { type NewLink, createLink } from "./link-message.ts";
import type { NetlinkRequest } from "./request.ts";

/**
 * Makes a WireGuard device without keys and peers, which it is given afterwards over generic netlink (`wireguard.ts`). `EEXIST`
 * where the name is taken, `EOPNOTSUPP` where the kernel has no WireGuard. It has no link-layer address.
 */
export function createWireguard(link: Omit<NewLink, "mac">): NetlinkRequest {
  return createLink("wireguard", link);
}
