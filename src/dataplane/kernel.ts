// SPDX-License-Identifier: Apache-2.0
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { Genetlink } from "./netlink/genetlink.ts";
import type { Rtnetlink } from "./netlink/rtnetlink.ts";
import type { Nft } from "./nft/nft.ts";
import type { SysctlFiles } from "./sysctl.ts";
import type { WireguardDriver } from "./wireguard/driver.ts";

/** WireGuard devices, and the keys that they are given. */
export interface WireguardAccess {
  readonly driver: WireguardDriver;
  /** The private key that belongs to the public one, 32 octets. Throws where there is none that can be used. */
  readonly privateKey: (publicKey: WireguardPublicKey) => Promise<Uint8Array>;
}

/** One network namespace's side of the kernel, and what work on it needs. */
export interface Kernel {
  readonly rtnetlink: Rtnetlink;
  readonly genetlink: Genetlink;
  readonly sysctls: SysctlFiles;
  readonly nft: Nft;
  readonly wireguard: WireguardAccess;
  readonly clock: Clock;
  readonly log: Log;
}
