// SPDX-License-Identifier: Apache-2.0
// A trace as the server tells it, and the way of its packet across the map.
import type { Header } from "../../trace/headers.ts";
import type { Step, Trace } from "../../trace/trace.ts";
import { HEAD } from "./cells.ts";
import { type Point, type Rect, centre } from "./geometry.ts";
import type { MapLayout } from "./layout.ts";
import { type PlacedPort, type PlacedStation, portKey, portX, wire } from "./ports.ts";
import type { Container, Station } from "./topology.ts";

/** As `margay trace --json` gives it. */
export interface Story extends Omit<Trace, "steps"> {
  readonly steps: readonly StoryStep[];
}

export interface StoryStep extends Step {
  readonly number: number;
  readonly text: string;
}

/** Where a step happens. */
export interface Place {
  readonly at: Point;
  readonly kind: "station" | "container";
  readonly id: string;
  /** From here to where the station decides, inside of it. */
  readonly inwards: readonly Point[];
  /** Where the packet is on a wire of the underlay. */
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
    const { station, fact } = step;
    const place = find({ station, ifName: fact.kind === "seen" ? fact.ifName : null });
    const points =
      place === undefined ? [] : last === undefined ? [place.at] : wayBetween(layout, last, place);
    last = place ?? last;
    return { place, points };
  });
}

/** How far above its cell the node's end of a container's link is. */
const DOOR = 5;

/** Where the path broke. */
export function faultPlace(
  { fault, source, destination }: Story,
  layout: MapLayout,
  containers: readonly Container[],
): Place | undefined {
  if (fault === null) return undefined;
  return createFinder(layout, containers, [source, destination])(fault);
}

/** By the interface that it is about, where it is about one. */
type Finder = (where: { readonly station: string; readonly ifName: string | null }) => Place | undefined;

function createFinder(
  layout: MapLayout,
  containers: readonly Container[],
  ends: readonly Pick<Trace["source"], "name" | "address">[],
): Finder {
  const byName = new Map(containers.map((container) => [container.name, container]));
  const byAddress = new Map(
    containers.flatMap((container) => container.addresses.map((address) => [address, container] as const)),
  );
  const stations = new Map(
    Array.from(layout.stations.values(), (placed) => [placed.station.name, placed] as const),
  );
  return ({ station: name, ifName }) => {
    const placed = stations.get(name);
    if (placed !== undefined) return inStation(layout, placed, ifName);
    const address = ends.find((end) => end.name === name)?.address ?? name;
    const container = byName.get(name) ?? byAddress.get(address);
    const cell = container && layout.containers.get(container.id);
    if (container === undefined || cell === undefined) return undefined;
    const at = inCell(cell, ifName);
    return { at, kind: "container", id: container.id, inwards: [at] };
  };
}

function inStation(layout: MapLayout, { station, rect }: PlacedStation, ifName: string | null): Place {
  const place = { kind: "station", id: station.id } as const;
  const head = headOf(station, rect);
  const port = station.ports.find(
    (candidate) => candidate.interface !== null && candidate.interface === ifName,
  );
  const wired = port && layout.ports.get(portKey(station.id, port));
  const [edge] = wired?.line ?? [];
  if (wired !== undefined && edge !== undefined)
    return { ...place, at: edge, inwards: [edge, head], port: wired };
  const inside = station.containers.find((candidate) => candidate.interface === ifName);
  const cell = inside && layout.containers.get(inside.id);
  if (inside === undefined || cell === undefined) return { ...place, at: head, inwards: [head] };
  const door = { x: centre(cell).x, y: cell.y - DOOR };
  const gap = cell.x - 5;
  // Those of lower rows: between the cells, up to above them all.
  const aside =
    door.y === head.y
      ? []
      : [
          { x: gap, y: door.y },
          { x: gap, y: head.y },
        ];
  const inwards = [door, ...aside, head];
  return { ...place, at: door, inwards };
}

/** On the container's side of its link, the packet is at the cell's upper edge; else inside. */
function inCell(cell: Rect, ifName: string | null): Point {
  return ifName !== null ? { x: centre(cell).x, y: cell.y + Math.min(6, cell.height / 3) } : centre(cell);
}

/** Where a station decides: above its containers, below its line to the underlay. */
function headOf({ kind }: Station, rect: Rect): Point {
  return kind === "host" ? { x: portX(rect), y: rect.y + HEAD - DOOR } : centre(rect);
}

function wayBetween({ segments }: MapLayout, from: Place, to: Place): readonly Point[] {
  if (from.id === to.id && from.at.x === to.at.x && from.at.y === to.at.y) return [to.at];
  if (from.kind === "station" && from.id === to.id) return through(from, to);
  if (from.port !== undefined && from.port.segment === to.port?.segment)
    return wire(segments, from.port, to.port);
  // Along a container's link; or the steps between are not there, for nobody could look.
  return [from.at, to.at];
}

/** Inside of a station; what both ways to where it decides have in common is left out. */
function through(from: Place, to: Place): readonly Point[] {
  const [out, back] = [[...from.inwards], [...to.inwards]];
  const head = out.at(-1) ?? from.at;
  while (out.length > 1 && back.length > 1 && isSame(out.at(-2), back.at(-2))) {
    out.pop();
    back.pop();
  }
  return [...out.slice(0, -1), out.at(-1) ?? head, ...back.slice(0, -1).reverse()];
}

function isSame(a: Point | undefined, b: Point | undefined): boolean {
  return a !== undefined && b !== undefined && a.x === b.x && a.y === b.y;
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
