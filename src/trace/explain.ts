// SPDX-License-Identifier: Apache-2.0
import { findFault } from "./find-fault.ts";
import type { DropFacts, Observation, Station } from "./observation.ts";
import { unanswered } from "./hop.ts";
import type { Cause, Fact, Fault, Step, Trace, TraceEnd } from "./trace.ts";
import { type Leg, View, isAnswer, isTunnelledTo } from "./view.ts";
import { beginning, stepOf, tunnelFact, walk } from "./walk.ts";
import { describeIcmp } from "./words.ts";
import { innermost, isIcmp } from "./headers.ts";

/** What the live network did with the probe: the same trace for the same observation. */
export function explain(observation: Observation): Trace {
  const view = new View(observation);
  const { probe, source, sightings, lost, aligned } = observation;
  const there = view.leg("there");
  const back = view.leg("back");
  const answer = sightings.find((sighting) => isAnswer(sighting, source, probe));
  const isDelivered = back.path.length > 0 || isAtEnd(there, view);
  const fault =
    answer === undefined ? withWhatWasSaid(findFault(isDelivered ? back : there, view), view) : null;
  const sent = there.path[0]?.atUs ?? 0;
  const steps: readonly Step[] = [
    ...beginning(there, view),
    ...walk(there, view),
    ...(isDelivered ? [...beginning(back, view), ...walk(back, view)] : []),
    ...(fault === null ? [] : dropOf(isDelivered ? back : there, view)),
    ...(fault === null ? [] : questions(isDelivered ? back : there, fault, view)),
    ...(answer === undefined
      ? []
      : [stepOf(back, source, { kind: "answered", afterUs: answer.atUs - sent })]),
  ];
  return {
    ok: answer !== undefined,
    probe,
    source: endOf(there.from, probe.src),
    destination: endOf(there.to, probe.dst),
    steps,
    fault,
    lost,
    ...(aligned !== undefined && { aligned }),
  };
}

function dropOf(leg: Leg, view: View): readonly Step[] {
  const { drop } = view.observation;
  if (drop === undefined || leg.path.at(-1)?.station !== drop.station) return [];
  const { station, ...fact } = drop;
  return [...opened(leg, view, drop), { kind: "dropped" as const, ...fact }].map((one) =>
    stepOf(leg, station, one),
  );
}

/** That programs have opened the tunnel's packet shows in what comes after it, and so in what is dropped. */
function opened({ path }: Leg, view: View, { station, isAround }: DropFacts): readonly Fact[] {
  const [last, place] = [path.at(-1), view.station(station)];
  if (last === undefined || isAround || !isTunnelledTo(place, last)) return [];
  return [tunnelFact("decapsulated", place, last, null)];
}

/** What is broken where nobody answers a question shows in the questions. */
const OF_NEIGHBOURS: readonly Cause[] = ["proxyArp", "neighbour", "linkDown"];

function questions(leg: Leg, { cause }: Fault, view: View): readonly Step[] {
  const last = leg.path.at(-1);
  const asking = last === undefined ? leg.from : view.station(last.station);
  if (asking === undefined || !OF_NEIGHBOURS.includes(cause)) return [];
  return unanswered(view, asking).map((fact) => stepOf(leg, asking.name, fact));
}

function isAtEnd({ to, path }: Leg, view: View): boolean {
  const last = path.at(-1);
  return last?.direction === "in" && to !== undefined && view.station(last.station) === to;
}

function endOf(station: Station | undefined, address: TraceEnd["address"]): TraceEnd {
  return { name: station?.name ?? null, address, node: station?.attachment?.node ?? null };
}

/** Where a router has told the sender why, its words are evidence. */
function withWhatWasSaid(fault: Fault, view: View): Fault {
  const [first] = view.errors();
  if (first === undefined) return fault;
  const { payload } = innermost(first.headers);
  if (!isIcmp(payload)) return fault;
  return { ...fault, text: `${fault.text} "${first.station}" says so itself: ${describeIcmp(payload)}.` };
}
