// SPDX-License-Identifier: Apache-2.0
// A segment of the underlay as a block: its rails, and hanging from them, in rows, the stations that are on it alone.
import type { Item } from "../../web/view/view.ts";
import { type Cells, stationSize } from "./cells.ts";
import type { Rect } from "./geometry.ts";
import type { Station } from "./topology.ts";

export type Segment = Item<"segments">;

export interface Rail {
  readonly y: number;
  readonly x1: number;
  readonly x2: number;
}

export interface Block {
  readonly segment: Segment;
  readonly width: number;
  readonly height: number;
  /** One for each row, from the top. */
  readonly rails: readonly Rail[];
  readonly members: readonly { readonly station: Station; readonly rect: Rect }[];
}

/** From a rail down to a station. */
const DROP = 40;
const GAP_X = 36;
/** Sessions of neighbours hang below them. */
const GAP_Y = 76;
const TITLE = 34;
/** Left of the rails, where those of several rows are joined. */
const SPINE = 28;
/** From one block to the next. */
export const BETWEEN = 72;
/** Of a rail's title, and of what one router's line needs beside it. */
export const TITLE_WIDTH = 220;
export const SLOT = 84;
/** How much better several rows have to fill the room before one is given up, in which sessions can be followed. */
const ROWS_COST = 1.45;

/** The same in one column, in two, and so on. */
export type Choices = readonly [Block, ...Block[]];

/** `links` is how many lines of routers end at the rail. */
export function choicesOf(
  segment: Segment,
  stations: readonly Station[],
  cells: Cells,
  links: number,
): Choices {
  const sizes = stations.map((station) => ({ station, size: stationSize(station, cells) }));
  const least = Math.max(300, links === 0 ? 0 : TITLE_WIDTH + links * SLOT);
  const more = Array.from({ length: Math.max(0, stations.length - 1) }, (_, index) =>
    inColumns(segment, sizes, index + 2, least),
  );
  return [inColumns(segment, sizes, 1, least), ...more];
}

/** The blocks that fill room of a shape (width by height) best. */
export function choose(choices: readonly Choices[], aspect: number, isWide: boolean): readonly Block[] {
  const alone = (blocks: Choices): Block =>
    blocks.reduce((best, block) => (sizeOf([block], aspect) < sizeOf([best], aspect) ? block : best));
  if (!isWide) return choices.map(alone);
  // Beside each other: for each height, those that are narrowest.
  const heights = new Set(choices.flatMap((blocks) => blocks.map(({ height }) => height)));
  const sets = Array.from(heights, (limit) =>
    choices.map((blocks) => blocks.find(({ height }) => height <= limit) ?? alone(blocks)),
  );
  return sets.reduce<readonly Block[]>(
    (best, set) => (sizeOf(set, aspect) < sizeOf(best, aspect) ? set : best),
    choices.map(alone),
  );
}

function sizeOf(blocks: readonly Block[], aspect: number): number {
  const width = blocks.reduce((sum, block) => sum + block.width + BETWEEN, -BETWEEN);
  const size = Math.max(width / aspect, ...blocks.map(({ height }) => height));
  return blocks.some(({ rails }) => rails.length > 1) ? size * ROWS_COST : size;
}

interface Sized {
  readonly station: Station;
  readonly size: { readonly width: number; readonly height: number };
}

function inColumns(segment: Segment, sizes: readonly Sized[], columns: number, least: number): Block {
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
  const width = Math.max(least, (xs.at(-1) ?? 0) + (widths.at(-1) ?? 0));
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
