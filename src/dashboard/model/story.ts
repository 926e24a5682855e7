// SPDX-License-Identifier: Apache-2.0
// A trace as the server tells it, and the way of its packet across the map.
import type { Header } from "../../trace/headers.ts";
import type { Step, Trace } from "../../trace/trace.ts";
import { type Point, type Rect, centre } from "./geometry.ts";
import { type MapLayout, type PlacedPort, portKey, wire } from "./layout.ts";
import type { Container } from "./topology.ts";

/** As `margay trace --json` gives it. */
export interface Story extends Omit<Trace, "steps"> {
  readonly steps: readonly StoryStep[];
}

export interface StoryStep extends Step {
  readonly number: number;
  readonly text: string;
}

/** Where a step happens: a place on the map, and the station or container that it is at. */
export interface Place {
  readonly at: Point;
  readonly kind: "station" | "container";
  readonly id: string;
  /** Where the packet is on a wire. */
  readonly port?: PlacedPort;
}

/** How the packet gets to a step from the one before; a single point where it stays, none where the map does not show the station. */
export interface Move {
  readonly place: Place | undefined;
  readonly points: readonly Point[];
}

export function movesOf(
  { steps, source, destination }: Story,
  layout: MapLayout,
  containers: readonly Container[],
): readonly Move[] {
  const find = createFinder(layout, containers, [source, destination]);
  let last: Place | undefined;
  return steps.map((step) => {
    const place = find(step);
    const points =
      place === undefined ? [] : last === undefined ? [place.at] : wayBetween(layout, last, place);
    last = place ?? last;
    return { place, points };
  });
}

type Finder = (step: Pick<Step, "station" | "fact">) => Place | undefined;

function createFinder(
  layout: MapLayout,
  containers: readonly Container[],
  ends: readonly Pick<Trace["source"], "name" | "address">[],
): Finder {
  const byName = new Map(containers.map((container) => [container.name, container]));
  const byAddress = new Map(
    containers.flatMap((container) => container.addresses.map((address) => [address as string, container])),
  );
  const stations = new Map(
    Array.from(layout.stations.values(), (placed) => [placed.station.name, placed] as const),
  );
  const containerOf = (name: string): Container | undefined => {
    const end = ends.find((candidate) => candidate.name === name);
    return byName.get(name) ?? byAddress.get(end?.address ?? name);
  };
  return ({ station: name, fact }) => {
    const container = stations.has(name) ? undefined : containerOf(name);
    const cell = container === undefined ? undefined : layout.containers.get(container.id);
    if (container !== undefined && cell !== undefined)
      return { at: inCell(cell, fact), kind: "container", id: container.id };
    const placed = stations.get(name);
    if (placed === undefined) return undefined;
    const { station, rect } = placed;
    const ifName = "ifName" in fact && fact.kind === "seen" ? fact.ifName : null;
    const port = station.ports.find(
      (candidate) => candidate.interface !== null && candidate.interface === ifName,
    );
    const onWire = port === undefined ? undefined : layout.ports.get(portKey(station.id, port));
    const inside = station.containers.find((candidate) => candidate.interface === ifName);
    const nearCell = inside === undefined ? undefined : layout.containers.get(inside.id);
    const at = onWire?.line[0] ?? (nearCell === undefined ? undefined : doorOf(nearCell)) ?? headOf(rect);
    return { at, kind: "station", id: station.id, ...(onWire && { port: onWire }) };
  };
}

/** On the container's side of its link, the packet is at the cell's upper edge; else inside. */
function inCell(cell: Rect, { kind }: Step["fact"]): Point {
  return kind === "seen" ? { x: centre(cell).x, y: cell.y + Math.min(6, cell.height / 3) } : centre(cell);
}

/** The node's end of a container's link. */
function doorOf(cell: Rect): Point {
  return { x: centre(cell).x, y: cell.y - 4 };
}

/** Where the node decides. */
function headOf({ x, y, width }: Rect): Point {
  return { x: x + width / 2, y: y + 30 };
}

function wayBetween(layout: MapLayout, from: Place, to: Place): readonly Point[] {
  if (from.id === to.id && from.at.x === to.at.x && from.at.y === to.at.y) return [to.at];
  const isOnOneWire =
    from.port !== undefined &&
    to.port !== undefined &&
    from.id !== to.id &&
    from.port.segment === to.port.segment;
  return isOnOneWire ? [from.at, ...wire(layout, from.port, to.port), to.at] : [from.at, to.at];
}

/** The headers of the packet at a step: as last seen on the same way. */
export function headersAt(steps: readonly StoryStep[], index: number): readonly Header[] {
  const direction = steps[index]?.direction;
  const seen = steps
    .slice(0, index + 1)
    .findLast((step) => step.fact.kind === "seen" && step.direction === direction);
  const next = steps.slice(index).find((step) => step.fact.kind === "seen" && step.direction === direction);
  const { fact } = seen ?? next ?? {};
  return fact?.kind === "seen" ? fact.headers : [];
}
