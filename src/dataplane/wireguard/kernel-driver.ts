// SPDX-License-Identifier: Apache-2.0
import type { Genetlink } from "../netlink/genetlink.ts";
import { isKernelError } from "../netlink/kernel-error.ts";
import { createWireguard } from "../netlink/link-wireguard.ts";
import type { Rtnetlink } from "../netlink/rtnetlink.ts";
import { changeWireguard } from "../netlink/wireguard-change.ts";
import { getWireguard, joinWireguard } from "../netlink/wireguard-device.ts";
import { WG_GENL_NAME } from "../netlink/wireguard-message.ts";
import type { WireguardDriver } from "./driver.ts";

/** What reaches the kernel of one network namespace. */
export interface KernelWireguard {
  readonly rtnetlink: Rtnetlink;
  readonly genetlink: Genetlink;
}

/** Devices of the kernel (since Linux 5.6). Making one fails with `EOPNOTSUPP` where the kernel has none. */
export function createKernelDriver({ rtnetlink, genetlink }: KernelWireguard): WireguardDriver {
  return {
    async create({ name, mtu }) {
      throwFirst(await rtnetlink.execute([createWireguard({ name, mtu, up: true })]));
    },
    async get(name) {
      try {
        const family = await genetlink.family(WG_GENL_NAME);
        return joinWireguard(await genetlink.list(getWireguard(family, { name })));
      } catch (error) {
        if (isKernelError(error, "ENODEV")) return undefined;
        throw error;
      }
    },
    async change(name, change) {
      const family = await genetlink.family(WG_GENL_NAME);
      throwFirst(await genetlink.execute(changeWireguard(family, { name }, change)));
    },
  };
}

function throwFirst(results: readonly (Error | undefined)[]): void {
  const error = results.find((result) => result !== undefined);
  if (error !== undefined) throw error;
}
