// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessRunner } from "../../src/system/process.ts";

/** What the sessions with both routers go by. */
export interface Times {
  readonly holdSeconds: number;
  /** After how long without a packet BFD gives a peer up, in seconds; absent without BFD. */
  readonly bfdSeconds?: number;
}

const POLL_MS = 100;

/** Waits until BIRD has sessions with so many routers that go by these times. */
export async function untilSessions(
  processes: ProcessRunner,
  { socket, count, times }: { readonly socket: string; readonly count: number; readonly times: Times },
  signal: AbortSignal,
): Promise<void> {
  const birdc = async (...command: readonly string[]): Promise<string> =>
    (await processes.run("birdc", ["-s", socket, ...command], { signal })).stdout;
  const { holdSeconds, bfdSeconds } = times;
  const bfdRow = new RegExp(` Up .* ${(bfdSeconds ?? NaN).toFixed(3)} *$`, "gm");
  for (;;) {
    const protocols = await birdc("show", "protocols", "all");
    const bfd = bfdSeconds === undefined ? "" : await birdc("show", "bfd", "sessions");
    const holding = protocols.match(new RegExp(`Hold timer: .*/${holdSeconds}$`, "gm"))?.length ?? 0;
    const watched = bfd.match(bfdRow)?.length ?? 0;
    if (holding === count && watched === (bfdSeconds === undefined ? 0 : count)) return;
    await delay(POLL_MS, undefined, { signal });
  }
}
