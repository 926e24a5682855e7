// SPDX-License-Identifier: Apache-2.0
import { openGenetlink } from "../netlink/genetlink.ts";
import type { Netns } from "../netlink/netns.ts";
import { type WireguardDevice, getWireguard, joinWireguard } from "../netlink/wireguard-device.ts";
import { WG_GENL_NAME } from "../netlink/wireguard-message.ts";
import { readUserspaceWireguard } from "./userspace-driver.ts";

export interface WireguardPlace {
  readonly netns: Netns;
  /** The device's link, whoever does its work. */
  readonly link: { readonly index: number; readonly name: string; readonly kind?: string };
  /** Where `wireguard-go` has its sockets; `undefined` where that is not known. */
  readonly directory: string | undefined;
}

/** A device's peers, as the kernel or `wireguard-go` tells them; `undefined` where nobody could be asked. Throws `KernelError`. */
export async function readWireguardPeers({
  netns,
  link: { index, name, kind },
  directory,
}: WireguardPlace): Promise<WireguardDevice["peers"] | undefined> {
  if (kind !== "wireguard")
    return directory === undefined ? undefined : (await readUserspaceWireguard(directory, name)).peers;
  await using genetlink = openGenetlink({ netns });
  const family = await genetlink.family(WG_GENL_NAME);
  return joinWireguard(await genetlink.list(getWireguard(family, { index })))?.peers;
}
