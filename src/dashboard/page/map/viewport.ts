// SPDX-License-Identifier: Apache-2.0
// Panning and zooming: the world is a layer of its own that the compositor moves, so a pan paints nothing anew.
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
const FIT_MOST = 1.25;
const ROOM = 24;
/** After the last move; the layer is then painted at its new scale. */
const SETTLE_MS = 120;

export function createViewport(
  frame: HTMLElement,
  world: HTMLElement,
  onScale: (scale: number) => void,
): Viewport {
  let size: Point = { x: 1, y: 1 };
  let isTouched = false;
  let settling: ReturnType<typeof setTimeout> | undefined;
  let painted = 0;

  const move = ({ x, y, k }: ZoomTransform): void => {
    world.style.transform = `translate(${x}px, ${y}px) scale(${k})`;
    onScale(k);
    clearTimeout(settling);
    settling = setTimeout(() => {
      if (painted === k) return;
      painted = k;
      // Without the hint for one frame, the browser paints it anew, sharp.
      world.style.willChange = "auto";
      requestAnimationFrame(() => {
        world.style.willChange = "transform";
      });
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
    const { clientWidth, clientHeight } = frame;
    const k = clamp(Math.min(clientWidth / size.x, clientHeight / size.y), SCALES[0], FIT_MOST);
    set(
      zoomIdentity
        .translate((clientWidth - size.x * k) / 2, Math.max(0, (clientHeight - size.y * k) / 2))
        .scale(k),
    );
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
      const dy = shift(rect.y * k + y, rect.height * k, frame.clientHeight);
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
