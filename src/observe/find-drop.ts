// SPDX-License-Identifier: Apache-2.0
import type { NftDrop } from "../dataplane/nft/trace-output.ts";
import type { ProcessRunner } from "../system/process.ts";
import type { Clock } from "../system/clock.ts";
import type { DropFacts } from "../trace/observation.ts";
import type { Fault } from "../trace/trace.ts";
import type { StationPlace } from "./place.ts";
import type { RemoteCapture } from "./remote-post.ts";
import type { Sender } from "./sender.ts";
import { traceDrop } from "./trace-drop.ts";

export interface DropSearch {
  /** Where the probe or its answer came to, and did not leave. */
  readonly fault: Pick<Fault, "station" | "direction">;
  /** Of this machine. */
  readonly places: readonly StationPlace[];
  /** The other node that takes part, by the name of its station. */
  readonly remote?: { readonly node: string; readonly capture: RemoteCapture };
  readonly sender: Sender;
}

interface Tools {
  readonly processes: ProcessRunner;
  readonly clock: Clock;
}

interface Options {
  readonly signal: AbortSignal;
}

/** Some packets have to fall into the time that nftables traces them. */
const RESEND_MS = 500;

/** Looks for the rule that drops it, which takes some seconds; the probe is sent again and again meanwhile. Rejects with the signal's reason. */
export async function findDrop(
  tools: Tools,
  search: DropSearch,
  options: Options,
): Promise<DropFacts | undefined> {
  const searching = searchThere(tools, search, options);
  if (searching === undefined) return undefined;
  const found = await resendingUntil(searching, { ...tools, ...search, ...options });
  return found && { station: search.fault.station, ...found };
}

/** `undefined` where nobody there can look. */
function searchThere(
  tools: Tools,
  { fault: { station, direction }, places, remote, sender: { marker } }: DropSearch,
  options: Options,
): Promise<NftDrop | undefined> | undefined {
  const place = places.find(({ name }) => name === station);
  if (place !== undefined)
    return traceDrop(tools, { netnsPath: place.netnsPath, marker, direction }, options);
  return remote?.node === station ? remote.capture.findDrop(direction, options) : undefined;
}

async function resendingUntil<T>(
  work: Promise<T>,
  { clock, sender, signal }: Pick<Tools, "clock"> & Pick<DropSearch, "sender"> & Options,
): Promise<T> {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const resending = (async () => {
    while (!until.aborted) {
      sender.resend();
      await clock.sleep(RESEND_MS, { signal: until }).catch(() => undefined);
    }
  })();
  try {
    return await work;
  } finally {
    over.abort();
    await resending;
  }
}
