// SPDX-License-Identifier: Apache-2.0
import type { IfName } from "../../net/if-name.ts";
import type { WireguardChange } from "../netlink/wireguard-change.ts";
import type { WireguardDevice } from "../netlink/wireguard-device.ts";

/** What a device is made with; all else it is given by {@link WireguardDriver.change}. */
export interface NewWireguard {
  readonly name: IfName;
  /** Octets. */
  readonly mtu: number;
}

/**
 * WireGuard devices of one network namespace. Whoever does their work, they are links: whether one is there, up, or of another MTU is told by
 * rtnetlink's events, and to delete the link ends it.
 */
export interface WireguardDriver {
  /** Makes a device that is up, and has a port, but no key and no peers. Throws `KernelError`, `EEXIST` where the name is taken. */
  create(device: NewWireguard): Promise<void>;
  /** `undefined` where there is no such device. Throws `KernelError` where it does not answer. */
  get(name: IfName): Promise<WireguardDevice | undefined>;
  /**
   * Throws `KernelError`, `ENODEV` where there is no such device, `EADDRINUSE` where the port is taken; then some of the change may have been
   * made.
   */
  change(name: IfName, change: WireguardChange): Promise<void>;
}
