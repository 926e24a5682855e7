// SPDX-License-Identifier: Apache-2.0
// Sightings of two machines, whose clocks differ by more than packets travel, in one order of time.
import type { Observation, Sighting } from "./observation.ts";
import { roleOf } from "./view.ts";

/** What one machine saw; times are by its own clock, from any beginning. */
export type Sightings = Pick<Observation, "probe" | "sightings" | "resolutions">;
export type OtherSightings = Omit<Sightings, "probe"> & { readonly node: string };

/**
 * All of it by the first machine's clock. The other's is set so that the probe came there when it had left here; and where an answer came back,
 * so that both ways between the machines have taken as long (as RFC 5905 section 8 does it).
 */
export function alignTimes(
  { probe, ...own }: Sightings,
  other: OtherSightings | undefined,
): Pick<Observation, "sightings" | "resolutions" | "aligned"> {
  if (other === undefined) return { sightings: own.sightings, resolutions: own.resolutions };
  const offsetUs = offsetOf({ probe, ...own }, other);
  const moved = (list: readonly Sighting[]): readonly Sighting[] =>
    list.map((sighting) => ({ ...sighting, atUs: inWholeNs(sighting.atUs + offsetUs) }));
  return {
    sightings: inOrder([...own.sightings, ...moved(other.sightings)]),
    resolutions: inOrder([...own.resolutions, ...moved(other.resolutions)]),
    aligned: [other.node],
  };
}

function offsetOf({ probe, sightings }: Sightings, other: OtherSightings): number {
  const there = (sighting: Sighting): boolean => roleOf(sighting, probe) === "there";
  const back = (sighting: Sighting): boolean => roleOf(sighting, probe) === "back";
  const left = sightings.findLast(there)?.atUs ?? 0;
  const came = other.sightings.find(there)?.atUs;
  if (came === undefined) return left - (other.sightings[0]?.atUs ?? other.resolutions[0]?.atUs ?? 0);
  const returned = sightings.find(back)?.atUs;
  const answered = other.sightings.findLast(back)?.atUs;
  const betweenUs =
    returned === undefined || answered === undefined ? 0 : (returned - left - (answered - came)) / 2;
  return left - came + Math.max(0, betweenUs);
}

/** As stamps are: what is moved to a time must not come before it by a rounding error. */
function inWholeNs(us: number): number {
  return Math.round(us * 1000) / 1000;
}

/** Stable, so that of the same time comes first what stands first. */
function inOrder(list: readonly Sighting[]): readonly Sighting[] {
  return list.toSorted((a, b) => a.atUs - b.atUs);
}
