// SPDX-License-Identifier: Apache-2.0
// Where everything stands on the map. A segment of the underlay is a block; dagre arranges blocks, and the routers between them.
import { BETWEEN, type Block, type Segment, choicesOf, choose } from "./blocks.ts";
import { type Cells, cellsFor, placeCells, stationSize } from "./cells.ts";
import { createLayeredGraph, layOutGraph } from "./dagre.ts";
import type { Point, Rect } from "./geometry.ts";
import { LANE, type PlacedPort, type PlacedSegment, type PlacedStation, placePorts } from "./ports.ts";
import type { Station } from "./topology.ts";

export interface MapLayout {
  readonly width: number;
  readonly height: number;
  readonly cells: Cells;
  readonly segments: readonly PlacedSegment[];
  readonly stations: ReadonlyMap<string, PlacedStation>;
  /** By the id of the container. */
  readonly containers: ReadonlyMap<string, Rect>;
  /** By their keys. */
  readonly ports: ReadonlyMap<string, PlacedPort>;
}

export const MARGIN = 36;
/** For sessions of the last row, which hang below it. */
const BELOW = 40;
const ELSEWHERE: Segment = { id: "", name: "other networks", cidr: "" };

/** A station, and the ids of the segments that it is on. */
interface Homed {
  readonly station: Station;
  readonly at: readonly string[];
}

/** `aspect` is that of the room for it, width by height. */
export function layOut(
  segments: readonly Segment[],
  stations: readonly Station[],
  aspect: number,
): MapLayout {
  const cells = cellsFor(Math.max(0, ...stations.map(({ containers }) => containers.length)));
  const homes = stations.map((station) => ({ station, at: homesOf(station, segments) }));
  const linkers = homes.filter(({ at }) => at.length > 1);
  const places = homes.some(({ at }) => at.includes("")) ? [...segments, ELSEWHERE] : segments;
  const isWide = aspect >= 0.9;
  const choices = places.map((segment) => {
    const members = homes.filter(({ at }) => at.length === 1 && at[0] === segment.id);
    const links = linkers.filter(({ at }) => at.includes(segment.id)).length;
    return choicesOf(
      segment,
      members.map(({ station }) => station),
      cells,
      isWide ? links : 0,
    );
  });
  const blocks = choose(choices, aspect, isWide);
  const corners = arrange(blocks, linkers, cells, isWide);
  const placedStations = placeStations(blocks, linkers, corners, cells);
  const placedSegments = blocks.map((block) => placeSegment(block, corners));
  return {
    ...extent(placedStations, placedSegments),
    cells,
    segments: placedSegments,
    stations: new Map(placedStations.map((placed) => [placed.station.id, placed])),
    containers: new Map(placedStations.flatMap(({ station, rect }) => placeCells(station, rect, cells))),
    ports: placePorts(placedStations, placedSegments, isWide),
  };
}

/** Each once; empty text for what is in none. */
function homesOf({ ports }: Station, segments: readonly Segment[]): readonly string[] {
  const known = new Set(segments.map(({ id }) => id));
  const ids = ports.map(({ segment }) => (segment !== null && known.has(segment) ? segment : ""));
  const real = [...new Set(ids)].filter((id) => id !== "");
  return real.length > 0 ? real : [""];
}

type Corners = ReadonlyMap<string, Point>;

function keyOfSegment({ id }: Segment): string {
  return `segment ${id}`;
}

function keyOfStation({ id }: Station): string {
  return `station ${id}`;
}

/** The upper left corners of blocks, and of the stations between them. */
function arrange(
  blocks: readonly Block[],
  linkers: readonly Homed[],
  cells: Cells,
  isWide: boolean,
): Corners {
  const graph = createLayeredGraph();
  const lanes = linkers.reduce((sum, { station }) => sum + station.ports.length, 0);
  graph.setGraph({
    rankdir: isWide ? "TB" : "LR",
    nodesep: BETWEEN,
    ranksep: (isWide ? 44 : 24) + lanes * LANE,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { segment, width, height } of blocks) graph.setNode(keyOfSegment(segment), { width, height });
  for (const { station, at } of linkers) {
    // dagre writes into what it is given.
    graph.setNode(keyOfStation(station), { ...stationSize(station, cells) });
    for (const id of at) graph.setEdge(keyOfStation(station), `segment ${id}`);
  }
  layOutGraph(graph);
  const corners = new Map<string, Point>();
  for (const id of graph.nodes()) {
    const { x, y, width, height } = graph.node(id);
    corners.set(id, { x: MARGIN + x - width / 2, y: MARGIN + y - height / 2 });
  }
  return isWide ? alignTops(blocks, corners) : corners;
}

/** dagre centres what is beside each other; rails of one height are easier to follow. */
function alignTops(blocks: readonly Block[], corners: Corners): Corners {
  const ids = blocks.map(({ segment }) => keyOfSegment(segment));
  const y = Math.min(...ids.map((id) => corners.get(id)?.y ?? 0));
  return new Map([...corners, ...ids.map((id) => [id, { x: corners.get(id)?.x ?? 0, y }] as const)]);
}

function placeStations(
  blocks: readonly Block[],
  linkers: readonly Homed[],
  corners: Corners,
  cells: Cells,
): readonly PlacedStation[] {
  const hanging = blocks.flatMap(({ segment, members }) =>
    members.map(({ station, rect }) => ({ station, rect: moved(rect, corners.get(keyOfSegment(segment))) })),
  );
  const between = linkers.map(({ station }) => ({
    station,
    rect: moved({ ...stationSize(station, cells), x: 0, y: 0 }, corners.get(keyOfStation(station))),
  }));
  return [...between, ...hanging];
}

function moved(rect: Rect, { x, y }: Point = { x: 0, y: 0 }): Rect {
  return { ...rect, x: rect.x + x, y: rect.y + y };
}

function placeSegment({ segment, rails }: Block, corners: Corners): PlacedSegment {
  const { x, y } = corners.get(keyOfSegment(segment)) ?? { x: 0, y: 0 };
  return {
    ...segment,
    rails: rails.map((rail) => ({ y: rail.y + y, x1: rail.x1 + x, x2: rail.x2 + x })),
  };
}

function extent(
  stations: readonly PlacedStation[],
  segments: readonly PlacedSegment[],
): { readonly width: number; readonly height: number } {
  const rails = segments.flatMap((segment) => segment.rails);
  const rights = [...stations.map(({ rect }) => rect.x + rect.width), ...rails.map(({ x2 }) => x2)];
  const bottoms = [...stations.map(({ rect }) => rect.y + rect.height), ...rails.map(({ y }) => y)];
  return { width: Math.max(0, ...rights) + MARGIN, height: Math.max(0, ...bottoms) + MARGIN + BELOW };
}
