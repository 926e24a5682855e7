// SPDX-License-Identifier: Apache-2.0
import type { Kernel, WireguardAccess } from "../dataplane/kernel.ts";
import { openGenetlink } from "../dataplane/netlink/genetlink.ts";
import { openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { createNft } from "../dataplane/nft/nft.ts";
import { procSys } from "../dataplane/sysctl.ts";
import { createWireguardDriver } from "../dataplane/wireguard/any-driver.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { ProcessRunner } from "../system/process.ts";
import { type AgentConfig, wireguardDirectory } from "./config.ts";

export interface KernelCollaborators {
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: ProcessRunner;
  readonly privateKey: WireguardAccess["privateKey"];
}

/** Opens the current network namespace's side of the kernel; `stack` closes it. */
export function openKernel(
  stack: AsyncDisposableStack,
  config: Pick<AgentConfig, "stateDirectory">,
  { clock, log, processes, privateKey }: KernelCollaborators,
): Kernel {
  const rtnetlink = stack.use(openRtnetlink());
  const genetlink = stack.use(openGenetlink());
  const nft = stack.use(createNft({ processes }));
  const driver = createWireguardDriver(
    { rtnetlink, genetlink, processes, clock },
    { directory: wireguardDirectory(config) },
  );
  const wireguard = { driver, privateKey };
  return { rtnetlink, genetlink, sysctls: procSys, nft, wireguard, clock, log: log.scope("dataplane") };
}
