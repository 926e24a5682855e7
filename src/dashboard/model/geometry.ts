// SPDX-License-Identifier: Apache-2.0
// Points and boxes of the map, in its own units: at a scale of 1, pixels.

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Rect extends Point {
  readonly width: number;
  readonly height: number;
}

export function centre({ x, y, width, height }: Rect): Point {
  return { x: x + width / 2, y: y + height / 2 };
}

export function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(value, Math.max(low, high)));
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

export type Way = "left" | "right" | "up" | "down";

const STEPS: Readonly<Record<Way, Point>> = {
  left: { x: -1, y: 0 },
  right: { x: 1, y: 0 },
  up: { x: 0, y: -1 },
  down: { x: 0, y: 1 },
};

/** The nearest of the places that lie in a direction, those straight ahead preferred; undefined where there is none. */
export function nearest<Id>(places: Iterable<readonly [Id, Point]>, from: Point, way: Way): Id | undefined {
  const step = STEPS[way];
  let best: Id | undefined;
  let least = Infinity;
  for (const [id, { x, y }] of places) {
    const ahead = (x - from.x) * step.x + (y - from.y) * step.y;
    const aside = Math.abs((x - from.x) * step.y) + Math.abs((y - from.y) * step.x);
    const cost = ahead + 2.5 * aside;
    if (ahead > 1 && ahead > 0.3 * aside && cost < least) {
      least = cost;
      best = id;
    }
  }
  return best;
}

/** The place after a share (0 to 1) of the way along the points. */
export function pointAlong(points: readonly Point[], share: number): Point {
  const [first = { x: 0, y: 0 }] = points;
  let rest = share * lengthOf(points);
  let from = first;
  for (const to of points.slice(1)) {
    const length = distance(from, to);
    if (rest <= length && length > 0)
      return { x: from.x + ((to.x - from.x) * rest) / length, y: from.y + ((to.y - from.y) * rest) / length };
    rest -= length;
    from = to;
  }
  return from;
}

export function lengthOf(points: readonly Point[]): number {
  return points.slice(1).reduce((sum, point, index) => sum + distance(points[index] ?? point, point), 0);
}

/** `M…L…` of SVG. */
export function polyline(points: readonly Point[]): string {
  return points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
