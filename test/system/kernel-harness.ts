// SPDX-License-Identifier: Apache-2.0
// The kernel of one network namespace, as a dataplane has it, for tests that run dataplanes in their own process.
import type { Kernel, WireguardAccess } from "../../src/dataplane/kernel.ts";
import { type Genetlink, openGenetlink } from "../../src/dataplane/netlink/genetlink.ts";
import { openNetns } from "../../src/dataplane/netlink/netns.ts";
import { type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { createNft } from "../../src/dataplane/nft/nft.ts";
import { type SysctlFiles, procSys } from "../../src/dataplane/sysctl.ts";
import { createKernelDriver } from "../../src/dataplane/wireguard/kernel-driver.ts";
import { systemClock } from "../../src/system/clock.ts";
import { silentLog } from "../../src/system/log.ts";
import { type ProcessRunner, systemProcesses } from "../../src/system/process.ts";

export interface KernelOptions {
  /** What runs nft. @default nft itself, in the namespace */
  readonly nftCommand?: readonly [string, ...string[]];
  readonly processes?: ProcessRunner;
  /** @default the kernel's own devices, and no key for them */
  readonly wireguard?: (access: {
    readonly rtnetlink: Rtnetlink;
    readonly genetlink: Genetlink;
  }) => WireguardAccess;
}

const withoutKey: NonNullable<KernelOptions["wireguard"]> = (access) => ({
  driver: createKernelDriver(access),
  privateKey: () => Promise.reject(new Error("there is none")),
});

/** Opens it for a namespace that iproute2 has a name for; `stack` closes it. */
export function openKernel(
  stack: AsyncDisposableStack,
  name: string,
  {
    nftCommand = ["ip", "netns", "exec", name, "nft"],
    processes = systemProcesses,
    wireguard = withoutKey,
  }: KernelOptions = {},
): Kernel {
  const netns = stack.use(openNetns(`/run/netns/${name}`));
  const rtnetlink = stack.use(openRtnetlink({ netns }));
  const genetlink = stack.use(openGenetlink({ netns }));
  const nft = stack.use(createNft({ processes }, { netns, command: nftCommand }));
  const sysctls: SysctlFiles = {
    read: (path) => netns.run(() => procSys.read(path)),
    write: (path, value) => {
      netns.run(() => {
        procSys.write(path, value);
      });
    },
  };
  const access = wireguard({ rtnetlink, genetlink });
  return { rtnetlink, genetlink, sysctls, nft, wireguard: access, clock: systemClock, log: silentLog };
}
