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

/** What is not straight ahead comes after all that is. */
const ASIDE = 1000;

/** The nearest of the boxes that lie in a direction, those straight ahead first; undefined where there is none. */
export function nearest<Id>(boxes: Iterable<readonly [Id, Rect]>, from: Rect, way: Way): Id | undefined {
  let best: Id | undefined;
  let least = Infinity;
  for (const [id, box] of boxes) {
    const cost = costOf(turned(from, way), turned(box, way));
    if (cost < least) {
      least = cost;
      best = id;
    }
  }
  return best;
}

/** As if the way were to the right. */
function turned(rect: Rect, way: Way): Rect {
  const { x, y, width, height } = rect;
  switch (way) {
    case "right":
      return rect;
    case "left":
      return { x: -x - width, y, width, height };
    case "down":
      return { x: y, y: x, width: height, height: width };
    case "up":
      return { x: -y - height, y: x, width: height, height: width };
  }
}

function costOf(from: Rect, to: Rect): number {
  if (centre(to).x <= centre(from).x + 1) return Infinity;
  const ahead = Math.max(0, to.x - from.x - from.width);
  const aside = Math.max(0, to.y - from.y - from.height, from.y - to.y - to.height);
  const off = Math.abs(centre(to).y - centre(from).y);
  if (aside > 2 * Math.max(ahead, to.x + to.width - from.x)) return Infinity;
  return ahead + 0.2 * off + (aside > 0 ? ASIDE + 2 * aside : 0);
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
