// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { Rtnetlink } from "./netlink/rtnetlink.ts";
import type { SysctlFiles } from "./sysctl.ts";

/** One network namespace's side of the kernel, and what work on it needs. */
export interface Kernel {
  readonly rtnetlink: Rtnetlink;
  readonly sysctls: SysctlFiles;
  readonly clock: Clock;
  readonly log: Log;
}
