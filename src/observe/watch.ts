// SPDX-License-Identifier: Apache-2.0
import type { CapturedPacket } from "../dataplane/capture/packet-socket.ts";
import { whenStamped } from "../dataplane/capture/timestamp.ts";
import { decodeHeaders } from "../trace/decode-headers.ts";
import type { Sighting } from "../trace/observation.ts";
import type { OpenStation } from "./open-station.ts";

/** A packet, and where it was. */
type Capture = CapturedPacket & { readonly station: string };

export interface WatchOptions {
  /** UDP ports that VXLAN comes by. */
  readonly vxlanPorts: readonly number[];
  /** Whether nothing more has to be waited for, once this has been seen. */
  readonly isLast?: (sighting: Sighting) => boolean;
  /** Ends it. */
  readonly until: AbortSignal;
}

/** Of each trace: a probe makes some dozens, and questions of others about MAC addresses could be any number. */
export const MOST_FRAMES = 1000;

/**
 * What all stations see from now on until the last, or until the signal aborts; in the order of time, and at most 1000 frames. What was captured before is
 * forgotten. Rejects with a `KernelError`.
 */
export async function watch(
  stations: readonly OpenStation[],
  begin: () => void,
  { vxlanPorts, isLast = () => false, until: end }: WatchOptions,
): Promise<readonly Sighting[]> {
  await whenStamped();
  for (const { capture } of stations) capture.take();
  const captures: Capture[] = [];
  const enough = new AbortController();
  const until = AbortSignal.any([end, enough.signal]);
  const take = ({ place, capture }: OpenStation): void => {
    for (const packet of capture.take()) {
      const one = { ...packet, station: place.name };
      if (captures.length < MOST_FRAMES) captures.push(one);
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
  const outcomes = await Promise.allSettled(stations.map(follow));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
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
