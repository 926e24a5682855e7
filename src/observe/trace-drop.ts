// SPDX-License-Identifier: Apache-2.0
// Which rule of nftables drops a probe: its packets are marked for tracing (nft(8), "meta nftrace") by a table that belongs to a running nft, so that
// the kernel removes it however that ends (`flags owner`, Linux 5.12).
import { randomBytes } from "node:crypto";
import type { Marker } from "../dataplane/capture/probe-filter.ts";
import { type NftDrop, findDrop } from "../dataplane/nft/trace-output.ts";
import { familyOf } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import { ProcessError, type ProcessRunner } from "../system/process.ts";

export interface TraceDropOptions {
  readonly netnsPath: string;
  readonly marker: Marker;
  readonly direction: "there" | "back";
  /** Sends the probe once more; called a few times. */
  readonly send: () => void;
  readonly signal: AbortSignal;
}

/** Both programs need some time to begin, more where the machine is busy. */
const WATCH_SECONDS = 3;
const SEND_AFTER_MS: readonly number[] = [700, 900];
/** Holds the table while it reads, and shows what happens; ends by itself. */
const SCRIPT = `
{ printf '%s\\n' "$1"; sleep ${WATCH_SECONDS + 1}; } | nft -i >/dev/null 2>&1 &
timeout -s INT ${WATCH_SECONDS} nft monitor trace
kill $! 2>/dev/null`;

/** `undefined` where no rule dropped it, or nft cannot tell. Rejects with the signal's reason. */
export async function traceDrop(
  { processes, clock }: { readonly processes: ProcessRunner; readonly clock: Clock },
  { netnsPath, marker, direction, send, signal }: TraceDropOptions,
): Promise<NftDrop | undefined> {
  const command = [
    "-n",
    "19",
    "nsenter",
    `--net=${netnsPath}`,
    "sh",
    "-c",
    SCRIPT,
    "sh",
    tableFor(marker, direction),
  ];
  const watching = processes.run("nice", command, { signal });
  watching.catch(() => undefined);
  for (const ms of SEND_AFTER_MS) {
    await clock.sleep(ms, { signal });
    send();
  }
  try {
    return findDrop((await watching).stdout);
  } catch (error) {
    if (error instanceof ProcessError) return undefined;
    throw error;
  }
}

function tableFor(marker: Marker, direction: "there" | "back"): string {
  const table = `inet margay-trace-${randomBytes(4).toString("hex")}`;
  const rule = `${matchOf(marker, direction)} limit rate 20/second meta nftrace set 1`;
  const chain = (hook: string): string =>
    `add chain ${table} ${hook} { type filter hook ${hook} priority -450; }; add rule ${table} ${hook} ${rule}`;
  return [`add table ${table} { flags owner; }`, chain("prerouting"), chain("output")].join("; ");
}

function matchOf(marker: Marker, direction: "there" | "back"): string {
  const ip = familyOf(marker.dst) === 4 ? "ip" : "ip6";
  const isThere = direction === "there";
  const [src, dst] = isThere ? [marker.src, marker.dst] : [marker.dst, marker.src];
  const ends = `${ip} saddr ${src} ${ip} daddr ${dst}`;
  if (marker.kind === "icmp") return `${ends} ${ip === "ip" ? "icmp" : "icmpv6"} id ${marker.identifier}`;
  const [from, to] = isThere ? [marker.srcPort, marker.dstPort] : [marker.dstPort, marker.srcPort];
  return `${ends} ${marker.kind} sport ${from} ${marker.kind} dport ${to}`;
}
