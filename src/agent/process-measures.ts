// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import type { Clock } from "../system/clock.ts";
import type { ProcessMeasures } from "../web/metrics.ts";

/** What this process uses. */
export function measureProcess(clock: Clock): ProcessMeasures {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapUsedBytes: heapUsed,
    startedAt: clock.now() / 1000 - process.uptime(),
    openFiles: countOpenFiles(),
  };
}

/** One of them is open to list them. */
function countOpenFiles(): number {
  return readdirSync("/proc/self/fd").length - 1;
}
