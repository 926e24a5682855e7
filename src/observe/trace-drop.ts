// SPDX-License-Identifier: Apache-2.0
// Which rule of nftables drops a probe: nftables traces its packets while it is sent again and again, by a table that goes with the nft that has made it.
import { randomBytes } from "node:crypto";
import { type Marker, probePatterns } from "../dataplane/capture/probe-filter.ts";
import { type NftDrop, findDrop } from "../dataplane/nft/trace-output.ts";
import { renderTraceTable } from "../dataplane/nft/trace-table.ts";
import { ProcessError, type ProcessRunner } from "../system/process.ts";

export interface TraceDropOptions {
  readonly netnsPath: string;
  readonly marker: Marker;
  readonly direction: "there" | "back";
}

/** Both programs need some time to begin, more where the machine is busy. */
export const WATCH_MS = 3000;
/**
 * Holds the table while it reads, and shows what happens. All of it ends by itself, a second later at the most, also where whoever has started it is
 * killed; and the table with it.
 */
const SCRIPT = `
{ printf '%s\\n' "$1"; sleep ${WATCH_MS / 1000 + 1}; } 2>/dev/null | nft -i >/dev/null 2>&1 &
timeout -s INT ${WATCH_MS / 1000} nft monitor trace
kill $! 2>/dev/null`;

/** Takes `WATCH_MS`. `undefined` where no rule dropped the packet meanwhile, or nft cannot tell. Rejects with the signal's reason. */
export async function traceDrop(
  { processes }: { readonly processes: ProcessRunner },
  { netnsPath, marker, direction }: TraceDropOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<NftDrop | undefined> {
  const name = `margay-trace-${randomBytes(4).toString("hex")}`;
  const table = renderTraceTable(name, probePatterns(marker, direction));
  const command = [`--net=${netnsPath}`, "sh", "-c", SCRIPT, "sh", table];
  try {
    const { stdout } = await processes.run("nsenter", command, { signal });
    return findDrop(stdout, `inet ${name}`);
  } catch (error) {
    if (error instanceof ProcessError) return undefined;
    throw error;
  }
}
