// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { flushCompileCache } from "node:module";
import { systemClock } from "../system/clock.ts";
import { createLog } from "../system/log.ts";
import { systemProcesses } from "../system/process.ts";
import type { Tracer } from "../web/view/source.ts";
import { startAgent } from "./agent.ts";
import { type AgentConfig, readAgentConfig } from "./config.ts";

export interface RunOptions {
  /** Of what sends probes from containers of the node. */
  readonly createTracer: (config: Pick<AgentConfig, "nodeName" | "socket">) => Tracer;
  readonly signal: AbortSignal;
}

/** Runs a node's agent until the signal aborts. Throws where it cannot start. */
export async function runAgent(configPath: string, { createTracer, signal }: RunOptions): Promise<void> {
  const config = await readAgentConfig(configPath);
  const log = createLog({ level: config.log.level });
  await using agent = await startAgent(config, {
    clock: systemClock,
    log,
    processes: systemProcesses,
    trace: createTracer(config),
  });
  // Now, for agents that start next: this one may run for months, or be killed.
  flushCompileCache();
  if (!signal.aborted) await once(signal, "abort");
  log.info("Stopping; forwarding goes on");
}
