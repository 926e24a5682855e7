// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { askAgent } from "../agent/client.ts";
import { routeSourceField } from "./topology-schema.ts";

/** The part of an agent's status that the lab goes by. */
const status = z.object({
  /** Whether it serves CNI. */
  started: z.boolean(),
  /** Why it is not ready. */
  reasons: z.array(z.string()),
  /** What is amiss and leaves it ready. */
  degraded: z.array(z.string()),
  routeSource: routeSourceField,
  pools: z.array(z.looseObject({ name: z.string(), ipipMode: z.string(), vxlanMode: z.string() })),
  /** Null where it does not run. */
  bird: z.looseObject({ pid: z.int() }).nullable(),
});
export type AgentReadiness = Readonly<z.output<typeof status>>;

export interface ReadinessOptions {
  /** How long the agent may hold its answer back until nothing is amiss; 0 asks for the status as it is. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Asks the agent that listens on the socket. Rejects with the system's error, such as `ENOENT`, where none does. */
export async function readReadiness(
  socketPath: string,
  { waitMs, signal }: ReadinessOptions,
): Promise<AgentReadiness> {
  const path = waitMs > 0 ? `/status?wait=settled&timeoutMs=${waitMs}` : "/status";
  return status.parse(await askAgent(socketPath, path, { signal }));
}
