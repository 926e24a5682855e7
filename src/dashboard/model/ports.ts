// SPDX-License-Identifier: Apache-2.0
// Lines from stations to the rails of the underlay, and the ways of packets along them.
import { type Rail, SLOT } from "./blocks.ts";
import { type Point, type Rect, clamp } from "./geometry.ts";
import type { Port, Station } from "./topology.ts";

export interface PlacedSegment {
  /** Empty where it stands for all that is in no segment. */
  readonly id: string;
  readonly name: string;
  readonly cidr: string;
  readonly rails: readonly Rail[];
}

export interface PlacedStation {
  readonly station: Station;
  readonly rect: Rect;
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

/** Between lines that run beside each other. */
export const LANE = 9;
/** How far right of a station's edge its line to a rail above begins. */
export const PORT_X = 140;

export function portKey(station: string, { interface: ifName, address }: Port): string {
  return `${station}/${ifName ?? address}`;
}

/** By their keys. `isWide`: routers stand above the segments that they join, not left of them. */
export function placePorts(
  stations: readonly PlacedStation[],
  segments: readonly PlacedSegment[],
  isWide: boolean,
): ReadonlyMap<string, PlacedPort> {
  const byId = new Map(segments.map((segment) => [segment.id, segment]));
  const joints = new Map(segments.map(({ id, rails: [rail] }) => [id, createJoints(rail)]));
  const ports = new Map<string, PlacedPort>();
  let lane = 0;
  // From the right, so that lines cross as little as can be.
  for (const { station, rect } of stations.toSorted((a, b) => b.rect.x - a.rect.x)) {
    const isLinker = new Set(station.ports.map(({ segment }) => segment ?? "")).size > 1;
    for (const [index, port] of station.ports.entries()) {
      const id = port.segment !== null && byId.has(port.segment) ? port.segment : "";
      const share = (index + 1) / (station.ports.length + 1);
      const rails = byId.get(id)?.rails ?? [];
      const line = isLinker
        ? linking(rect, share, lane++, isWide, rails[0], joints.get(id))
        : hanging(
            rect,
            share,
            rails.findLast(({ y }) => y <= rect.y),
          );
      const key = portKey(station.id, port);
      ports.set(key, { key, port, station: station.id, segment: id, line });
    }
  }
  return ports;
}

/** Gives the next place on a rail, from the right. */
function createJoints(rail: Rail | undefined): () => number {
  let taken = 0;
  return () => {
    taken += 1;
    return rail === undefined ? 0 : clamp(rail.x2 - taken * SLOT + 8, rail.x1 + 24, rail.x2 - 24);
  };
}

/** Where a station's line to a rail above it begins. */
export function portX({ x, width }: Rect): number {
  return x + Math.min(width / 2, PORT_X);
}

function hanging(rect: Rect, share: number, rail: Rail | undefined): readonly Point[] {
  if (rail === undefined) return [];
  const x = share === 0.5 ? portX(rect) : rect.x + rect.width * share;
  return [
    { x, y: rect.y },
    { x, y: rail.y },
  ];
}

function linking(
  { x, y, width, height }: Rect,
  share: number,
  lane: number,
  isWide: boolean,
  rail: Rail | undefined,
  nextJoint: (() => number) | undefined,
): readonly Point[] {
  if (rail === undefined || nextJoint === undefined) return [];
  if (isWide) {
    const from = { x: x + width * share, y: y + height };
    const middle = from.y + 14 + lane * LANE;
    const joint = nextJoint();
    return [from, { x: from.x, y: middle }, { x: joint, y: middle }, { x: joint, y: rail.y }];
  }
  const from = { x: x + width, y: y + height * share };
  const middle = from.x + 12 + lane * LANE;
  return [from, { x: middle, y: from.y }, { x: middle, y: rail.y }, { x: rail.x1, y: rail.y }];
}

/** Along the underlay from one port to another on the same segment: up to the rail, along it, by the spine to other rows, and down. */
export function wire(segments: readonly PlacedSegment[], from: PlacedPort, to: PlacedPort): readonly Point[] {
  const up = from.line.at(-1);
  const down = to.line.at(-1);
  if (up === undefined || down === undefined) return [...from.line, ...to.line.toReversed()];
  const spine = segments.find(({ id }) => id === from.segment)?.rails[0]?.x1 ?? up.x;
  const across =
    up.y === down.y
      ? []
      : [
          { x: spine, y: up.y },
          { x: spine, y: down.y },
        ];
  return [...from.line, ...across, ...to.line.toReversed()];
}
