// SPDX-License-Identifier: Apache-2.0
// Containers inside of their hosts: cards while they are few, then tags with their names, then squares.
import type { Rect } from "./geometry.ts";
import type { Station } from "./topology.ts";

export interface Cells {
  readonly kind: "card" | "tag" | "square";
  readonly width: number;
  readonly height: number;
  readonly gap: number;
}

const CARD: Cells = { kind: "card", width: 150, height: 46, gap: 10 };
const TAG: Cells = { kind: "tag", width: 92, height: 24, gap: 6 };
const SQUARE: Cells = { kind: "square", width: 18, height: 18, gap: 4 };

/** The name of a station, its address, and who routes. */
export const HEAD = 58;
export const PADDING = 14;
const LEAST_WIDTH = 230;
const SMALL = { width: 176, height: 54 };

/** `most` is how many containers the fullest host has: all are drawn alike. */
export function cellsFor(most: number): Cells {
  if (most <= 8) return CARD;
  return most <= 30 ? TAG : SQUARE;
}

/** A little wider than high. */
function columnsOf(count: number, { width, height, gap }: Cells): number {
  const ideal = Math.ceil(Math.sqrt((count * 1.5 * (height + gap)) / (width + gap)));
  const least = Math.max(2, Math.floor((LEAST_WIDTH - 2 * PADDING + gap) / (width + gap)));
  return Math.max(1, Math.min(Math.max(ideal, least), count));
}

export function stationSize(
  { kind, containers }: Station,
  cells: Cells,
): {
  readonly width: number;
  readonly height: number;
} {
  if (kind !== "host" && containers.length === 0) return SMALL;
  const count = containers.length;
  const columns = columnsOf(count, cells);
  const rows = Math.ceil(count / columns);
  return {
    width: Math.max(LEAST_WIDTH, columns * (cells.width + cells.gap) - cells.gap + 2 * PADDING),
    height: HEAD + (rows === 0 ? 4 : rows * (cells.height + cells.gap) - cells.gap + PADDING),
  };
}

/** By the id of the container. */
export function placeCells(
  { containers }: Station,
  { x, y, width }: Rect,
  cells: Cells,
): readonly (readonly [string, Rect])[] {
  const { kind, gap } = cells;
  const columns = columnsOf(containers.length, cells);
  const inside = width - 2 * PADDING;
  const cellWidth = kind === "square" ? cells.width : (inside - (columns - 1) * gap) / columns;
  return containers.map(({ id }, index) => [
    id,
    {
      x: x + PADDING + (index % columns) * (cellWidth + gap),
      y: y + HEAD + Math.floor(index / columns) * (cells.height + gap),
      width: cellWidth,
      height: cells.height,
    },
  ]);
}
