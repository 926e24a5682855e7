// SPDX-License-Identifier: Apache-2.0
// The map in its frame: moved by mouse, touch and keyboard.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { type Way, nearest } from "../../model/geometry.ts";
import { aspect, layout, selection } from "../state.ts";
import { Drawing } from "./drawing.tsx";
import { Finder } from "./finder.tsx";
import { type Item, cursor, items, keyOf, moveCursor, showsSessions, showsTunnels } from "./items.ts";
import { NARROW, type Viewport, createViewport } from "./viewport.ts";

/** Below the first, only names can be read; from the second on, there is room for the names of squares. */
const FAR = 0.62;
const NEAR = 2.2;
const PAN = 80;
const ZOOM = 1.3;

interface Props {
  /** Drawn over everything else, in units of the map. */
  readonly overlay?: ComponentChildren;
  /** Says of each thing on the map whether it stands back. */
  readonly isTracing?: boolean;
}

export function Stage({ overlay, isTracing = false }: Props): JSX.Element {
  const frame = useRef<HTMLDivElement>(null);
  const world = useRef<HTMLDivElement>(null);
  const tools = useRef<HTMLDivElement>(null);
  const viewport = useRef<Viewport>(undefined);
  const level = useSignal<"far" | "middle" | "near">("middle");
  const { width, height, cells } = layout.value;

  useLayoutEffect(() => {
    if (frame.current === null || world.current === null) return;
    const room = frame.current;
    const resize = new ResizeObserver(() => {
      // In steps: a window that is dragged does not make the map jump about.
      const isNarrow = room.clientWidth <= NARROW;
      aspect.value = isNarrow ? 0.5 : Math.round((room.clientWidth / Math.max(1, room.clientHeight)) * 4) / 4;
    });
    resize.observe(room);
    const created = createViewport(
      room,
      world.current,
      () => tools.current?.offsetHeight ?? 0,
      (scale) => {
        level.value = scale < FAR ? "far" : scale >= NEAR ? "near" : "middle";
      },
    );
    viewport.current = created;
    return () => {
      resize.disconnect();
      created.dispose();
    };
  }, []);
  useEffect(() => viewport.current?.setExtent(width, height), [width, height]);

  const show = (item: Item): void => {
    selection.value = item.selection;
    moveCursor(keyOf(item.selection));
    viewport.current?.reveal(item.rect);
  };
  return (
    <section class="stage" aria-label="The network, drawn">
      <div
        class={`frame level-${level.value} cells-${cells.kind}${isTracing ? " tracing" : ""}`}
        ref={frame}
        onKeyDown={(event) => {
          if (viewport.current !== undefined) onKey(event, viewport.current);
        }}
      >
        <div class="world" ref={world}>
          <Drawing width={width} height={height} overlay={overlay} />
        </div>
      </div>
      <div class="tools" ref={tools}>
        <Finder onFound={show} />
        <div class="buttons">
          <Tool label="Zoom out" onPress={() => viewport.current?.zoomBy(1 / ZOOM)}>
            −
          </Tool>
          <Tool label="Zoom in" onPress={() => viewport.current?.zoomBy(ZOOM)}>
            +
          </Tool>
          <button type="button" onClick={() => viewport.current?.fit()}>
            Fit
          </button>
        </div>
        <div class="buttons">
          <button
            type="button"
            class="sessions"
            aria-pressed={showsSessions.value}
            onClick={() => (showsSessions.value = !showsSessions.value)}
          >
            BGP
          </button>
          <button
            type="button"
            class="tunnels"
            aria-pressed={showsTunnels.value}
            onClick={() => (showsTunnels.value = !showsTunnels.value)}
          >
            Tunnels
          </button>
        </div>
      </div>
    </section>
  );
}

function Tool(props: {
  readonly label: string;
  readonly onPress: () => void;
  readonly children: string;
}): JSX.Element {
  return (
    <button type="button" aria-label={props.label} title={props.label} onClick={props.onPress}>
      {props.children}
    </button>
  );
}

const WAYS: Readonly<Record<string, Way>> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};
const SHIFTS: Readonly<Record<Way, readonly [number, number]>> = {
  left: [PAN, 0],
  right: [-PAN, 0],
  up: [0, PAN],
  down: [0, -PAN],
};

function onKey(event: KeyboardEvent, viewport: Viewport): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const way = WAYS[event.key];
  if (way !== undefined && event.shiftKey) viewport.panBy(...SHIFTS[way]);
  else if (way !== undefined) step(way, viewport);
  else if (event.key === "+" || event.key === "=") viewport.zoomBy(ZOOM);
  else if (event.key === "-") viewport.zoomBy(1 / ZOOM);
  else if (event.key === "0") viewport.fit();
  else if (event.key === "Escape") selection.value = undefined;
  else if (event.key === "Enter" || event.key === " ")
    selection.value = items.value.get(cursor.value ?? "")?.selection;
  else return;
  event.preventDefault();
}

function step(way: Way, viewport: Viewport): void {
  const from = items.value.get(cursor.value ?? "");
  if (from === undefined) return;
  const boxes = Array.from(items.value, ([key, { rect }]) => [key, rect] as const);
  const next = nearest(boxes, from.rect, way);
  const item = next === undefined ? undefined : items.value.get(next);
  if (next === undefined || item === undefined) return;
  moveCursor(next);
  viewport.reveal(item.rect);
  document.querySelector<SVGElement>(`[data-key="${CSS.escape(next)}"]`)?.focus({ preventScroll: true });
}
