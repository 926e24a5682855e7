// SPDX-License-Identifier: Apache-2.0
import { outerIp } from "./headers.ts";
import type { Probe, Question, Sighting, Station } from "./observation.ts";
import { forwardedBy, hasAddress, roleOf } from "./view.ts";

/** What a station's kernel is to be asked. */
export interface StationQuestion {
  readonly station: string;
  readonly question: Question;
}

/** What stations are known by before they are asked. */
export type StationOutline = Pick<Station, "name" | "kind" | "addresses">;

/**
 * The lookups that explain what was seen: that of each end for what it sends, that of a node or router for what came in there, and that for
 * the outer packets of tunnels. None twice.
 */
export function questionsOf(
  sightings: readonly Sighting[],
  stations: readonly StationOutline[],
  probe: Probe,
): readonly StationQuestion[] {
  const asked = new Map<string, StationQuestion>();
  const ask = (station: string, question: Question): void => {
    const { src = "", dst, inIfIndex = "" } = question;
    asked.set([station, src, dst, inIfIndex].join(" "), { station, question });
  };
  for (const station of stations) {
    if (station.kind !== "container") continue;
    if (hasAddress(station, probe.src)) ask(station.name, { src: probe.src, dst: probe.dst });
    if (hasAddress(station, probe.dst)) ask(station.name, { src: probe.dst, dst: probe.src });
  }
  for (const sighting of sightings) {
    const role = roleOf(sighting, probe);
    const outline = stations.find(({ name }) => name === sighting.station);
    if (role === "error" || outline === undefined || outline.kind === "container") continue;
    const { station, direction, headers } = sighting;
    const [src, dst] = role === "there" ? [probe.src, probe.dst] : [probe.dst, probe.src];
    const outer = outerIp(headers);
    if (direction === "in") ask(station, forwardedBy(outline, sighting, { src, dst }));
    else if (outer !== undefined) ask(station, { dst: outer.dst });
  }
  return [...asked.values()];
}
