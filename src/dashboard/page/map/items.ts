// SPDX-License-Identifier: Apache-2.0
// What on the map can be selected, and where it is.
import { computed, signal } from "@preact/signals";
import { type Arc, arcBetween } from "../../model/arcs.ts";
import type { Rect } from "../../model/geometry.ts";
import { type Pair, type Selection, type SessionPair, type TunnelPair } from "../../model/topology.ts";
import { layout, selection, topology } from "../state.ts";

export interface Item {
  readonly selection: Selection;
  readonly rect: Rect;
}

export function keyOf({ kind, id }: Selection): string {
  return `${kind} ${id}`;
}

export function isSelected({ kind, id }: Selection): boolean {
  return selection.value?.kind === kind && selection.value.id === id;
}

export interface DrawnPair<Drawn extends Pair<unknown>> {
  readonly pair: Drawn;
  readonly arc: Arc;
  /** Without words on it: there are many, and it is well. */
  readonly isQuiet: boolean;
}

/** Which kinds of lines are wanted. */
export const showsSessions = signal(true);
export const showsTunnels = signal(true);

/** More than these are a thicket: then only what is broken, or selected, is drawn. */
const MANY = 12;
/** Of more than these, words stand on those alone that are broken. */
const WORDY = 6;
const MOST = 60;

const chosenStation = computed((): string | undefined => {
  const { kind, id } = selection.value ?? {};
  if (kind === "station") return id;
  return undefined;
});

function drawn<Drawn extends Pair<unknown>>(
  pairs: readonly Drawn[],
  isBroken: (pair: Drawn) => boolean,
  kind: Selection["kind"],
  lane: (pair: Drawn) => number,
): readonly DrawnPair<Drawn>[] {
  const { stations } = layout.value;
  const of = chosenStation.value;
  const chosen = selection.value?.kind === kind ? selection.value.id : undefined;
  const shown =
    pairs.length <= MANY
      ? pairs
      : pairs
          .filter((pair) => isBroken(pair) || pair.a === of || pair.b === of || pair.id === chosen)
          .slice(0, MOST);
  return shown.flatMap((pair) => {
    const a = stations.get(pair.a)?.rect;
    const b = stations.get(pair.b ?? "")?.rect;
    if (a === undefined || b === undefined) return [];
    const isQuiet = shown.length > WORDY && !isBroken(pair);
    return [{ pair, arc: arcBetween(a, b, lane(pair)), isQuiet }];
  });
}

export const drawnSessions = computed((): readonly DrawnPair<SessionPair>[] =>
  showsSessions.value
    ? drawn(
        topology.value.sessions,
        ({ isBroken }) => isBroken,
        "session",
        ({ ends }) => (ends[0]?.family === 6 ? 1 : 0),
      )
    : [],
);

const LANES: Readonly<Record<TunnelPair["kind"], number>> = { ipip: 2, vxlan: 2, vxlan6: 3, wireguard: 4 };

export const drawnTunnels = computed((): readonly DrawnPair<TunnelPair>[] =>
  showsTunnels.value
    ? drawn(
        topology.value.tunnels,
        ({ isUp }) => !isUp,
        "tunnel",
        ({ kind }) => LANES[kind],
      )
    : [],
);

/** In the order in which the eye meets them: segments, stations, what they run, lines between them. */
export const items = computed((): ReadonlyMap<string, Item> => {
  const { segments, stations, containers } = layout.value;
  const list: Item[] = [
    ...segments.flatMap(({ id, rails: [rail] }) =>
      rail === undefined
        ? []
        : [
            item(
              { kind: "segment", id },
              { x: rail.x1, y: rail.y - 26, width: Math.min(260, rail.x2 - rail.x1), height: 24 },
            ),
          ],
    ),
    ...Array.from(stations, ([id, { rect }]) =>
      item({ kind: "station", id }, { ...rect, height: Math.min(rect.height, 56) }),
    ),
    ...Array.from(containers, ([id, rect]) => item({ kind: "container", id }, rect)),
    ...drawnSessions.value.map(({ pair: { id }, arc }) => pill({ kind: "session", id }, arc)),
    ...drawnTunnels.value.map(({ pair: { id }, arc }) => pill({ kind: "tunnel", id }, arc)),
  ];
  return new Map(list.map((entry) => [keyOf(entry.selection), entry]));
});

function item(chosen: Selection, rect: Rect): Item {
  return { selection: chosen, rect };
}

function pill(chosen: Selection, { label }: Arc): Item {
  return item(chosen, { x: label.x - 30, y: label.y - 11, width: 60, height: 22 });
}

/** The item that the keyboard is at: the only one of the map that Tab stops at. */
const moved = signal<string | undefined>(undefined);
export const cursor = computed((): string | undefined => {
  const wanted = moved.value;
  if (wanted !== undefined && items.value.has(wanted)) return wanted;
  const [first] = Array.from(layout.value.stations.keys());
  return first === undefined ? undefined : keyOf({ kind: "station", id: first });
});

export function moveCursor(key: string): void {
  moved.value = key;
}
