// SPDX-License-Identifier: Apache-2.0
// Where everything stands on the map. A segment of the underlay is a rail with the stations that are on it alone hanging from it, in rows; dagre
// arranges segments, and the routers between them.
import { Graph, layout as layOutGraph } from "@dagrejs/dagre";
import type { Item } from "../../web/view/view.ts";
import { type Cells, cellsFor, placeCells, stationSize } from "./cells.ts";
import { type Point, type Rect, clamp } from "./geometry.ts";
import type { Port, Station } from "./topology.ts";

type Segment = Item<"segments">;

export interface PlacedSegment {
  /** Empty where it stands for all that is in no segment. */
  readonly id: string;
  readonly name: string;
  readonly cidr: string;
  /** One for each row, from the top. */
  readonly rails: readonly Rail[];
}

export interface Rail {
  readonly y: number;
  readonly x1: number;
  readonly x2: number;
}

export interface PlacedPort {
  readonly key: string;
  readonly port: Port;
  readonly station: string;
  /** The id of a placed segment. */
  readonly segment: string;
  /** From the station's edge to the rail. */
  readonly line: readonly Point[];
}

export interface PlacedStation {
  readonly station: Station;
  readonly rect: Rect;
}

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

/** From a rail down to a station. */
const DROP = 40;
const GAP_X = 36;
/** Sessions of neighbours hang below them. */
const GAP_Y = 76;
const TITLE = 34;
/** From one segment to the next. */
const BETWEEN = 72;
/** Between the lines of two ports of routers. */
const LANE = 9;
/** Left of the rails, where those of several rows are joined. */
const SPINE = 28;
export const MARGIN = 36;

export function portKey(station: string, { interface: ifName, address }: Port): string {
  return `${station}/${ifName ?? address}`;
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
  const places: readonly Segment[] = homes.some(({ at }) => at.includes(""))
    ? [...segments, { id: "", name: "other networks", cidr: "" }]
    : segments;
  const isWide = aspect >= 0.9 || linkers.length === 0;
  const choices = places.map((segment) => {
    const members = homes.filter(({ at }) => at.length === 1 && at[0] === segment.id);
    return choicesOf(
      segment,
      members.map(({ station }) => station),
      cells,
    );
  });
  const blocks = isWide
    ? chooseBeside(choices, aspect)
    : choices.map((blocks) => bestOf(blocks, aspect * choices.length));
  const corners = arrange(blocks, linkers, cells, isWide);
  return assemble(
    blocks,
    linkers.map(({ station }) => station),
    corners,
    cells,
    isWide,
  );
}

/** The ids of the segments that it is on, each once; empty text for what is in none. */
function homesOf({ ports }: Station, segments: readonly Segment[]): readonly string[] {
  const known = new Set(segments.map(({ id }) => id));
  const ids = ports.map(({ segment }) => (segment !== null && known.has(segment) ? segment : ""));
  const real = [...new Set(ids)].filter((id) => id !== "");
  return real.length > 0 ? real : [""];
}

interface Block {
  readonly segment: Segment;
  readonly width: number;
  readonly height: number;
  readonly rails: readonly Rail[];
  readonly members: readonly { readonly station: Station; readonly rect: Rect }[];
}

type Choices = readonly [Block, ...Block[]];

/** In one column, in two, and so on. */
function choicesOf(segment: Segment, stations: readonly Station[], cells: Cells): Choices {
  const more = Array.from({ length: Math.max(0, stations.length - 1) }, (_, index) =>
    inColumns(segment, stations, cells, index + 2),
  );
  return [inColumns(segment, stations, cells, 1), ...more];
}

/** That which fills room of a shape best. */
function bestOf(choices: Choices, aspect: number): Block {
  const size = ({ width, height }: Block): number => Math.max(width / aspect, height);
  return choices.reduce((best, block) => (size(block) < size(best) ? block : best));
}

/** Beside each other, blocks that fill room of a shape best together: for each height, those that are narrowest. */
function chooseBeside(choices: readonly Choices[], aspect: number): readonly Block[] {
  const heights = new Set(choices.flatMap((blocks) => blocks.map(({ height }) => height)));
  let best = choices.map(([block]) => block);
  let least = Infinity;
  for (const limit of heights) {
    const fits = choices.map(
      (blocks) =>
        blocks.filter(({ height }) => height <= limit).sort((a, b) => a.width - b.width)[0] ??
        bestOf(blocks, Infinity),
    );
    const width = fits.reduce((sum, block) => sum + block.width + BETWEEN, 0);
    const size = Math.max(width / aspect, ...fits.map(({ height }) => height));
    if (size < least) [best, least] = [fits, size];
  }
  return best;
}

function inColumns(segment: Segment, stations: readonly Station[], cells: Cells, columns: number): Block {
  const sizes = stations.map((station) => ({ station, size: stationSize(station, cells) }));
  const rows = Array.from({ length: Math.ceil(sizes.length / columns) }, (_, row) =>
    sizes.slice(row * columns, (row + 1) * columns),
  );
  const left = rows.length > 1 ? SPINE : 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(0, ...rows.map((row) => row[column]?.size.width ?? 0)),
  );
  const xs = widths.map(
    (_, column) => left + widths.slice(0, column).reduce((sum, width) => sum + width + GAP_X, 0),
  );
  const width = Math.max(300, (xs.at(-1) ?? 0) + (widths.at(-1) ?? 0));
  const members: { station: Station; rect: Rect }[] = [];
  const rails: Rail[] = [];
  let y = TITLE;
  for (const row of rows) {
    rails.push({ y, x1: 0, x2: width });
    for (const [column, { station, size }] of row.entries())
      members.push({ station, rect: { ...size, x: xs[column] ?? 0, y: y + DROP } });
    y += DROP + Math.max(...row.map(({ size }) => size.height)) + GAP_Y;
  }
  if (rails.length === 0) rails.push({ y, x1: 0, x2: width });
  return { segment, width, height: rows.length === 0 ? y : y - GAP_Y, rails, members };
}

interface Linker {
  readonly station: Station;
  readonly at: readonly string[];
}

/** The corners of blocks (by the id of the segment) and of stations between them (by theirs). */
function arrange(
  blocks: readonly Block[],
  linkers: readonly Linker[],
  cells: Cells,
  isWide: boolean,
): ReadonlyMap<string, Point> {
  const graph = new Graph();
  const lanes = linkers.reduce((sum, { station }) => sum + station.ports.length, 0);
  graph.setGraph({
    rankdir: isWide ? "TB" : "LR",
    nodesep: BETWEEN,
    ranksep: (isWide ? 44 : 24) + lanes * LANE,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { segment, width, height } of blocks) graph.setNode(`segment ${segment.id}`, { width, height });
  for (const { station, at } of linkers) {
    // dagre writes into what it is given.
    graph.setNode(`station ${station.id}`, { ...stationSize(station, cells) });
    for (const id of at) graph.setEdge(`station ${station.id}`, `segment ${id}`);
  }
  layOutGraph(graph);
  const corners = new Map<string, Point>();
  for (const id of graph.nodes()) {
    const { x = 0, y = 0, width, height } = graph.node(id) as Rect;
    corners.set(id, { x: x - width / 2, y: y - height / 2 });
  }
  if (isWide) alignTops(blocks, corners);
  return corners;
}

/** dagre centres what is beside each other; rails of one height are easier to follow. */
function alignTops(blocks: readonly Block[], corners: Map<string, Point>): void {
  const ids = blocks.map(({ segment }) => `segment ${segment.id}`);
  const top = Math.min(...ids.map((id) => corners.get(id)?.y ?? 0));
  for (const id of ids) corners.set(id, { x: corners.get(id)?.x ?? 0, y: top });
}

function assemble(
  blocks: readonly Block[],
  linkers: readonly Station[],
  corners: ReadonlyMap<string, Point>,
  cells: Cells,
  isWide: boolean,
): MapLayout {
  const stations = new Map<string, PlacedStation>();
  const ports = new Map<string, PlacedPort>();
  const at = (id: string, rect: Rect): Rect => {
    const { x, y } = corners.get(id) ?? { x: 0, y: 0 };
    return { ...rect, x: rect.x + x + MARGIN, y: rect.y + y + MARGIN };
  };
  const segments = blocks.map(({ segment, rails, members }): PlacedSegment => {
    const corner = at(`segment ${segment.id}`, { x: 0, y: 0, width: 0, height: 0 });
    for (const { station, rect } of members)
      stations.set(station.id, { station, rect: at(`segment ${segment.id}`, rect) });
    return {
      ...segment,
      rails: rails.map(({ y, x1, x2 }) => ({ y: y + corner.y, x1: x1 + corner.x, x2: x2 + corner.x })),
    };
  });
  for (const station of linkers)
    stations.set(station.id, {
      station,
      rect: at(`station ${station.id}`, { ...stationSize(station, cells), x: 0, y: 0 }),
    });
  const bySegment = new Map(segments.map((segment) => [segment.id, segment]));
  let lane = 0;
  for (const placed of stations.values())
    for (const port of placePorts(placed, bySegment, isWide, lane)) {
      if (port.line.length > 2) lane += 1;
      ports.set(port.key, port);
    }
  const containers = new Map(
    Array.from(stations.values()).flatMap(({ station, rect }) => placeCells(station, rect, cells)),
  );
  return { ...extent(stations, segments), cells, segments, stations, containers, ports };
}

function placePorts(
  { station, rect }: PlacedStation,
  segments: ReadonlyMap<string, PlacedSegment>,
  isWide: boolean,
  firstLane: number,
): readonly PlacedPort[] {
  const homes = new Set(station.ports.map(({ segment }) => segment ?? ""));
  return station.ports.map((port, index) => {
    const id = port.segment !== null && segments.has(port.segment) ? port.segment : "";
    const share = (index + 1) / (station.ports.length + 1);
    const segment = segments.get(id);
    const above = segment?.rails.findLast(({ y }) => y <= rect.y);
    const below = segment?.rails[0];
    const hangs = homes.size === 1 && above !== undefined;
    const line = hangs
      ? hanging(rect, share, above)
      : below === undefined
        ? []
        : isWide
          ? falling(rect, share, below, firstLane + index)
          : reaching(rect, share, below, firstLane + index);
    return { key: portKey(station.id, port), port, station: station.id, segment: id, line };
  });
}

function hanging({ x, y, width }: Rect, share: number, rail: Rail): readonly Point[] {
  const at = x + (share === 0.5 ? Math.min(width / 2, 115) : width * share);
  return [
    { x: at, y },
    { x: at, y: rail.y },
  ];
}

/** From a station above down to a rail, right of the rail's title. */
function falling({ x, y, width, height }: Rect, share: number, rail: Rail, lane: number): readonly Point[] {
  const from = { x: x + width * share, y: y + height };
  const to = {
    x: clamp(from.x, Math.min(rail.x1 + 230, rail.x2 - 24), rail.x2 - 24) - lane * LANE,
    y: rail.y,
  };
  const middle = from.y + 14 + lane * LANE;
  return [from, { x: from.x, y: middle }, { x: to.x, y: middle }, to];
}

/** From a station on the left to the rail's end. */
function reaching({ x, y, width, height }: Rect, share: number, rail: Rail, lane: number): readonly Point[] {
  const from = { x: x + width, y: y + height * share };
  const middle = from.x + 12 + lane * LANE;
  return [from, { x: middle, y: from.y }, { x: middle, y: rail.y }, { x: rail.x1, y: rail.y }];
}

function extent(
  stations: ReadonlyMap<string, PlacedStation>,
  segments: readonly PlacedSegment[],
): { readonly width: number; readonly height: number } {
  const rects = Array.from(stations.values(), ({ rect }) => rect);
  const rails = segments.flatMap((segment) => segment.rails);
  return {
    width: Math.max(0, ...rects.map(({ x, width }) => x + width), ...rails.map(({ x2 }) => x2)) + MARGIN,
    // Sessions of the last row hang below it.
    height:
      Math.max(0, ...rects.map(({ y, height }) => y + height), ...rails.map(({ y }) => y)) + MARGIN + 40,
  };
}

/** Along the underlay from one port to another on the same segment: up to the rail, along it, by the spine to other rows, and down. */
export function wire(layout: MapLayout, from: PlacedPort, to: PlacedPort): readonly Point[] {
  const up = from.line.at(-1);
  const down = to.line.at(-1);
  if (up === undefined || down === undefined) return [...from.line, ...to.line.toReversed()];
  const spine = layout.segments.find(({ id }) => id === from.segment)?.rails[0]?.x1 ?? up.x;
  const across =
    up.y === down.y
      ? []
      : [
          { x: spine, y: up.y },
          { x: spine, y: down.y },
        ];
  return [...from.line, ...across, ...to.line.toReversed()];
}
