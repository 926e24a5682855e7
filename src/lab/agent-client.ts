// SPDX-License-Identifier: Apache-2.0
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
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
  const response = await get({ socketPath, path, signal });
  return status.parse(JSON.parse(await text(response)));
}

function get(options: { socketPath: string; path: string; signal: AbortSignal }): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ ...options, agent: false }, resolve)
      .on("error", reject)
      .end();
  });
}
