// SPDX-License-Identifier: Apache-2.0
import type { CapturedPacket } from "../dataplane/capture/packet-socket.ts";
import { decodeHeaders } from "../trace/headers.ts";
import type { Sighting } from "../trace/observation.ts";
import type { OpenStation } from "./open-station.ts";

/** A packet, and where it was. */
type Capture = CapturedPacket & { readonly station: string };

export interface WatchOptions {
  /** UDP ports that VXLAN comes by. */
  readonly vxlanPorts: readonly number[];
  /** Whether nothing more has to be waited for, once this has been seen. */
  readonly isLast: (sighting: Sighting) => boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * What all stations see from now on until the last, or until the time is over; in the order of time. Rejects with the signal's reason. What
 * was captured before is forgotten.
 */
export async function watch(
  stations: readonly OpenStation[],
  begin: () => void,
  { vxlanPorts, isLast, timeoutMs, signal }: WatchOptions,
): Promise<readonly Sighting[]> {
  for (const { capture } of stations) capture.take();
  const captures: Capture[] = [];
  const enough = new AbortController();
  const until = AbortSignal.any([signal, enough.signal, AbortSignal.timeout(timeoutMs)]);
  const take = ({ place, capture }: OpenStation): void => {
    for (const packet of capture.take()) {
      const one = { ...packet, station: place.name };
      captures.push(one);
      if (isLast(sightingOf(one, packet.atNs, vxlanPorts))) enough.abort();
    }
  };
  const follow = async (station: OpenStation): Promise<void> => {
    try {
      while (await station.capture.readable(until)) take(station);
    } finally {
      // Where one fails, nobody may go on waiting for sockets that are about to be closed.
      enough.abort();
    }
  };
  begin();
  const ends = await Promise.allSettled(stations.map(follow));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  signal.throwIfAborted();
  // Whatever came before the last is in the sockets by now.
  for (const station of stations) take(station);
  const ordered = captures.toSorted((a, b) => Number(a.atNs - b.atNs));
  const first = ordered[0]?.atNs ?? 0n;
  return ordered.map((capture) => sightingOf(capture, first, vxlanPorts));
}

function sightingOf(
  { station, ifIndex, direction, atNs, start, bytes }: Capture,
  firstNs: bigint,
  vxlanPorts: readonly number[],
): Sighting {
  const atUs = Number(atNs - firstNs) / 1000;
  return { station, ifIndex, direction, atUs, headers: decodeHeaders(bytes, start, vxlanPorts) };
}
