// SPDX-License-Identifier: Apache-2.0
// The end of a node: what its agents and their BIRD leave behind on purpose, so that packets are forwarded without them, goes.
import { birdFiles, readIfThere } from "../bird/daemon.ts";
import { createBird } from "../bird/supervisor.ts";
import { type Pending, createDataplane } from "../dataplane/dataplane.ts";
import { Conditions } from "../system/conditions.ts";
import type { AgentCollaborators } from "./parts.ts";
import { type AgentConfig, birdDirectory } from "./config.ts";
import { openKernel } from "./open-kernel.ts";

/** What cannot be removed is tried again for so long, in milliseconds. */
const PATIENCE_MS = 10_000;

/**
 * Takes away what carries Margay's marks in the current network namespace (ARCHITECTURE.md), and nothing else. No agent may run. Gives what could
 * not be removed; sysctls stay as they are.
 */
export async function clearNode(
  config: Pick<AgentConfig, "stateDirectory">,
  collaborators: AgentCollaborators,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly Pending[]> {
  await stopBird(config, collaborators, signal);
  return await clearKernel(config, collaborators, signal);
}

async function stopBird(
  config: Pick<AgentConfig, "stateDirectory">,
  { clock, log, processes }: AgentCollaborators,
  signal: AbortSignal,
): Promise<void> {
  const directory = birdDirectory(config);
  await using bird = createBird({ processes, clock, log: log.scope("bird") }, { directory });
  if (!(await bird.adopt({ signal }))) return;
  const text = await readIfThere(birdFiles(directory).config);
  // With its routes, that is, which it is to leave otherwise.
  if (text !== undefined) await bird.configure(text.replaceAll(/^\s*persist;\n/gm, ""), { signal });
  await bird.stop({ signal });
}

/** A data plane that wants nothing: each kind of object is known by its marks, and goes as when it is not wanted any more. */
async function clearKernel(
  config: Pick<AgentConfig, "stateDirectory">,
  { clock, log, processes }: AgentCollaborators,
  signal: AbortSignal,
): Promise<readonly Pending[]> {
  await using stack = new AsyncDisposableStack();
  const privateKey = (): Promise<never> => Promise.reject(new Error("No device is wanted"));
  const kernel = openKernel(stack, config, { clock, log, processes, privateKey });
  const conditions = new Conditions();
  const dataplane = stack.use(
    createDataplane(kernel, {
      onChange: () => {
        conditions.check();
      },
    }),
  );
  await dataplane.start();
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  await conditions.until(() => dataplane.status().isSettled, limit).catch(() => undefined);
  signal.throwIfAborted();
  const { faults, blocked } = dataplane.status();
  return [...faults, ...blocked];
}
