// SPDX-License-Identifier: Apache-2.0
// Lines between stations that talk, drawn behind everything else.
import { type Point, type Rect, centre, round } from "./geometry.ts";

export interface Arc {
  /** Data of an SVG path. */
  readonly path: string;
  /** Where its words stand. */
  readonly label: Point;
}

/** `lane` keeps several lines between the same two apart, from 0 on. */
export function arcBetween(a: Rect, b: Rect, lane: number): Arc {
  if (Math.abs(a.y - b.y) < 1) return below(a, b, lane);
  const [upper, lower] = a.y < b.y ? [a, b] : [b, a];
  if (lower.y - (upper.y + upper.height) > 200 && Math.abs(centre(a).x - centre(b).x) < upper.width)
    return beside(upper, lower, lane);
  return across(upper, lower, lane);
}

/** In one row: it hangs below both. */
function below(a: Rect, b: Rect, lane: number): Arc {
  const [left, right] = a.x < b.x ? [a, b] : [b, a];
  const inset = 28 + lane * 22;
  const from = { x: left.x + left.width - inset, y: left.y + left.height };
  const to = { x: right.x + inset, y: right.y + right.height };
  const depth = Math.min(34 + lane * 22 + (to.x - from.x) * 0.02, 110);
  const bottom = Math.max(from.y, to.y) + depth;
  return {
    path: curve(from, { x: from.x, y: bottom }, { x: to.x, y: bottom }, to),
    label: { x: (from.x + to.x) / 2, y: (from.y + to.y) / 8 + (bottom * 3) / 4 },
  };
}

/** Far above each other: it swings out on the right. */
function beside(upper: Rect, lower: Rect, lane: number): Arc {
  const from = { x: upper.x + upper.width, y: upper.y + upper.height - 20 - lane * 12 };
  const to = { x: lower.x + lower.width, y: lower.y + 20 + lane * 12 };
  const out = Math.max(from.x, to.x) + 34 + lane * 20;
  return {
    path: curve(from, { x: out, y: from.y }, { x: out, y: to.y }, to),
    label: { x: (from.x + to.x) / 8 + (out * 3) / 4, y: (from.y + to.y) / 2 },
  };
}

function across(upper: Rect, lower: Rect, lane: number): Arc {
  const shift = 62 + lane * 55;
  const from = { x: upper.x + upper.width - shift, y: upper.y + upper.height };
  const to = { x: lower.x + lower.width - shift, y: lower.y };
  const middle = (from.y + to.y) / 2;
  return {
    path: curve(from, { x: from.x, y: middle }, { x: to.x, y: middle }, to),
    label: { x: (from.x + to.x) / 2, y: middle },
  };
}

function curve(from: Point, control1: Point, control2: Point, to: Point): string {
  const at = ({ x, y }: Point): string => `${round(x)} ${round(y)}`;
  return `M${at(from)}C${at(control1)} ${at(control2)} ${at(to)}`;
}
