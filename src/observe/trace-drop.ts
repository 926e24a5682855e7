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

/** How long packets are traced. */
export const WATCH_MS = 3000;
/**
 * Makes the table ($1, named $2) and holds it, waits until it is there, for what is shown names the rules that there are at its beginning, and until the kernel tells of
 * traced packets (NFNLGRP_NFTRACE of linux/netfilter/nfnetlink.h, 9, of netlink's protocol 12); and shows them for a while. Whoever ends the shell, the nft that holds the table reads to the end
 * then, and the table goes with it; the other ends by itself. Nobody but that one has what is shown (3), so that nobody else's end is waited for.
 */
const SCRIPT = `
exec 3>&1 >/dev/null 2>&1
eventually() { for attempt in $(seq 30); do "$@" && break; sleep 0.1; done; }
( exec 3>&-; printf '%s\\n' "$1"; exec tail -f --pid=$$ /dev/null ) | nft -i 3>&- &
holder=$!
eventually nft list table inet "$2"
timeout 10 nft monitor trace >&3 3>&- &
monitor=$!
eventually grep -q ' 12 .* 00000100 ' /proc/self/net/netlink
sleep ${WATCH_MS / 1000}
kill $monitor $holder`;

/** Takes `WATCH_MS`, and what the programs need to begin. `undefined` where no rule dropped the packet meanwhile, or nft cannot tell. Rejects with the signal's reason. */
export async function traceDrop(
  { processes }: { readonly processes: ProcessRunner },
  { netnsPath, marker, direction }: TraceDropOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<NftDrop | undefined> {
  const name = `margay-trace-${randomBytes(4).toString("hex")}`;
  const table = renderTraceTable(name, probePatterns(marker, direction));
  const command = [`--net=${netnsPath}`, "sh", "-c", SCRIPT, "sh", table, name];
  try {
    const { stdout } = await processes.run("nsenter", command, { signal });
    return findDrop(stdout, `inet ${name}`);
  } catch (error) {
    if (error instanceof ProcessError) return undefined;
    throw error;
  }
}
