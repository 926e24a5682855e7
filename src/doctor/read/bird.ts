// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { BirdControl } from "../../bird/control.ts";
import { birdFiles } from "../../bird/daemon.ts";
import { BirdError } from "../../bird/error.ts";
import type { BirdSeen } from "../observation.ts";

/**
 * Asks the BIRD that has its files in the directory. One that ended in order has taken its pid file along. Rejects with `BirdError` for answers that cannot
 * be read, and with the signal's reason.
 */
export async function readBird(
  directory: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<BirdSeen> {
  const { socket, pid } = birdFiles(directory);
  try {
    await using control = await BirdControl.connect(socket, {}, { signal });
    return { kind: "running", version: control.version, sessions: await control.sessions({ signal }) };
  } catch (error) {
    if (!(error instanceof BirdError) || error.code !== "unavailable") throw error;
    return existsSync(pid) ? { kind: "dead", reason: error.message } : { kind: "none" };
  }
}
