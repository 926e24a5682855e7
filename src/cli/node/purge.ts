// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { askAgent } from "../../agent/client.ts";
import { type AgentConfig, readAgentConfig } from "../../agent/config.ts";
import { AGENT_CONFIG } from "../../install/layout.ts";
import { systemClock } from "../../system/clock.ts";
import { createLog } from "../../system/log.ts";
import { systemProcesses } from "../../system/process.ts";
import { AGENT_SOCKET, RUN_DIRECTORY } from "../../system/run-directory.ts";
import { CommandError } from "../exit.ts";

/** Where an agent has its own. */
type AgentPlaces = Pick<AgentConfig, "socket" | "stateDirectory">;

/** Where the agent was, by its configuration if that is still there. */
async function agentPlaces(): Promise<AgentPlaces> {
  if (existsSync(AGENT_CONFIG)) return await readAgentConfig(AGENT_CONFIG);
  return { socket: AGENT_SOCKET, stateDirectory: RUN_DIRECTORY };
}

/** The places of this node's agent. Throws {@link CommandError} while that agent runs: it would put everything back. */
export async function requireNoAgent(signal: AbortSignal): Promise<AgentPlaces> {
  const places = await agentPlaces();
  const isRunning = await askAgent(places.socket, "/status", { signal }).then(
    () => true,
    (error: unknown) => !(error instanceof Error && "syscall" in error),
  );
  if (!isRunning) return places;
  throw new CommandError("conflict", `Cannot purge: an agent answers on "${places.socket}"; stop it first`);
}

/** Empties the kernel of Margay's objects. Throws {@link CommandError} with a line for each that is left. */
export async function clearKernel(places: AgentPlaces, signal: AbortSignal): Promise<void> {
  // Of the commands, this one alone needs the data plane.
  const { clearNode } = await import("../../agent/clear.ts");
  const log = createLog({ level: "warn" });
  const left = await clearNode(places, { clock: systemClock, log, processes: systemProcesses }, { signal });
  if (left.length === 0) return;
  const lines = left.map(({ kind, key, reason }) => `Cannot remove ${kind} "${key}": ${reason}`);
  throw new CommandError("failed", lines);
}
