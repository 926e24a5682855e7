// SPDX-License-Identifier: Apache-2.0
import { nodeCheck, nodeDifferences, nodeStatus } from "../../agent/answers.ts";
import { askAgent } from "../../agent/client.ts";
import type { AgentSeen, Known } from "../observation.ts";
import { ask } from "./known.ts";

/** An agent answers in milliseconds; one that is stopped, or hangs, never does. */
const TIMEOUT_MS = 5000;
/** It looks twice, and each time has nft list its tables. */
const DIFFERENCES_TIMEOUT_MS = 30_000;
/** Nodes that do not answer take some seconds each, 16 at a time. */
const PATHS_TIMEOUT_MS = 120_000;

/** Asks the agent that listens on the socket. One that does not say how it is, is asked nothing else. */
export async function readAgent(
  socket: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<AgentSeen> {
  const status = await ask(
    async (wait) => nodeStatus.parse(await askAgent(socket, "/status", { signal: wait })),
    { signal, timeoutMs: TIMEOUT_MS },
  );
  if (status.kind === "unknown") {
    const silent: Known<never> = { kind: "unknown", reason: "the agent does not answer" };
    return { socket, status, differences: silent, paths: silent };
  }
  const differences = await ask(
    async (wait) => nodeDifferences.parse(await askAgent(socket, "/differences", { signal: wait })),
    { signal, timeoutMs: DIFFERENCES_TIMEOUT_MS },
  );
  const paths = await ask(
    async (wait) => nodeCheck.parse(await askAgent(socket, "/check", { method: "POST", signal: wait })),
    { signal, timeoutMs: PATHS_TIMEOUT_MS },
  );
  return { socket, status, differences, paths };
}
