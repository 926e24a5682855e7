// SPDX-License-Identifier: Apache-2.0
import type { IfName } from "../../net/if-name.ts";
import { isKernelError } from "../netlink/kernel-error.ts";
import type { WireguardDriver } from "./driver.ts";
import { type KernelWireguard, createKernelDriver } from "./kernel-driver.ts";
import {
  type UserspaceOptions,
  type UserspaceWireguard,
  createUserspaceDriver,
  linkNamed,
} from "./userspace-driver.ts";

/** The kernel's devices, and where it has none, those of `wireguard-go`. Which of them one is, its link tells, so nothing is remembered. */
export function createWireguardDriver(
  collaborators: KernelWireguard & UserspaceWireguard,
  options: UserspaceOptions,
): WireguardDriver {
  const kernel = createKernelDriver(collaborators);
  const userspace = createUserspaceDriver(collaborators, options);
  const kindOf = async (name: IfName): Promise<string | undefined> =>
    (await linkNamed(collaborators.rtnetlink, name))?.kind;
  return {
    async create(device) {
      try {
        await kernel.create(device);
      } catch (error) {
        if (!isKernelError(error, "EOPNOTSUPP")) throw error;
        await userspace.create(device);
      }
    },
    async get(name) {
      const kind = await kindOf(name);
      if (kind === "wireguard") return await kernel.get(name);
      return kind === "tun" ? await userspace.get(name) : undefined;
    },
    async change(name, change) {
      const driver = (await kindOf(name)) === "wireguard" ? kernel : userspace;
      await driver.change(name, change);
    },
  };
}
