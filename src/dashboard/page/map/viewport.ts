// SPDX-License-Identifier: Apache-2.0
// Panning and zooming: while it moves, the world is a layer of its own that the compositor moves, so a pan paints nothing anew.
import { type Selection, select } from "d3-selection";
import { type D3ZoomEvent, type ZoomBehavior, type ZoomTransform, zoom, zoomIdentity } from "d3-zoom";
import { type Point, type Rect, clamp } from "../../model/geometry.ts";

export interface Viewport {
  fit(): void;
  zoomBy(factor: number): void;
  panBy(x: number, y: number): void;
  /** Moves as little as shows the box whole, with some room around it. */
  reveal(rect: Rect): void;
  setExtent(width: number, height: number): void;
  dispose(): void;
}

const SCALES: [number, number] = [0.05, 4];
/** A map is not blown up to fill the room. */
const FIT_MOST = 1.35;
const ROOM = 24;
/** After the last move. */
const SETTLE_MS = 160;
/** In a frame that is no wider, the map is as wide as the frame, and its lower part out of sight: else nobody could read it. */
export const NARROW = 560;
/** At the least, there. */
const NARROW_LEAST = 0.8;

export function createViewport(
  frame: HTMLElement,
  world: HTMLElement,
  /** How much of the frame's upper part is covered by what stands on it. */
  toolsHeight: () => number,
  onScale: (scale: number) => void,
): Viewport {
  let size: Point = { x: 1, y: 1 };
  let isTouched = false;
  let settling: ReturnType<typeof setTimeout> | undefined;

  const move = ({ x, y, k }: ZoomTransform): void => {
    world.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
    onScale(k);
    // A layer keeps the scale that it was painted at: without the hint, the browser paints it anew, sharp.
    world.style.willChange = "transform";
    clearTimeout(settling);
    settling = setTimeout(() => {
      world.style.willChange = "auto";
    }, SETTLE_MS);
  };
  const behaviour: ZoomBehavior<HTMLElement, unknown> = zoom<HTMLElement, unknown>()
    .scaleExtent(SCALES)
    .on("zoom", (event: D3ZoomEvent<HTMLElement, unknown>) => {
      if (event.sourceEvent !== null) isTouched = true;
      move(event.transform);
    });
  const target: Selection<HTMLElement, unknown, null, undefined> = select(frame);
  target.call(behaviour).on("dblclick.zoom", null);
  const current = (): ZoomTransform => (frame as HTMLElement & { __zoom: ZoomTransform }).__zoom;
  const set = (transform: ZoomTransform): void => {
    target.call(behaviour.transform.bind(behaviour), transform);
  };
  const fit = (): void => {
    const { clientWidth: width } = frame;
    const top = toolsHeight();
    const height = frame.clientHeight - top;
    const whole = Math.min(width / size.x, height / size.y);
    const least = width <= NARROW ? Math.min(NARROW_LEAST, width / size.x) : SCALES[0];
    const k = clamp(whole, least, FIT_MOST);
    const y = top + Math.max(0, (height - size.y * k) / 2.4);
    set(zoomIdentity.translate((width - size.x * k) / 2, y).scale(k));
    isTouched = false;
  };
  const resize = new ResizeObserver(() => {
    if (!isTouched) fit();
  });
  resize.observe(frame);
  return {
    fit,
    zoomBy(factor) {
      isTouched = true;
      target.call(behaviour.scaleBy.bind(behaviour), factor);
    },
    panBy(x, y) {
      isTouched = true;
      target.call(behaviour.translateBy.bind(behaviour), x / current().k, y / current().k);
    },
    reveal(rect) {
      const { k, x, y } = current();
      const dx = shift(rect.x * k + x, rect.width * k, frame.clientWidth);
      const top = toolsHeight();
      const dy = shift(rect.y * k + y - top, rect.height * k, frame.clientHeight - top);
      if (dx !== 0 || dy !== 0) this.panBy(dx, dy);
    },
    setExtent(width, height) {
      if (size.x === width && size.y === height) return;
      size = { x: width, y: height };
      if (!isTouched) fit();
    },
    dispose() {
      clearTimeout(settling);
      resize.disconnect();
      target.on(".zoom", null);
    },
  };
}

function shift(from: number, length: number, room: number): number {
  if (from < ROOM) return ROOM - from;
  const over = from + length + ROOM - room;
  return over > 0 ? -Math.min(over, from - ROOM) : 0;
}
