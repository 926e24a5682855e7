// SPDX-License-Identifier: Apache-2.0
// A host, or another machine of the underlay.
import type { JSX } from "preact";
import { type Station, TUNNEL_NAMES, healthOf } from "../../model/topology.ts";
import { HEALTH_WORDS, HealthMark } from "../parts/glyphs.tsx";
import { shorten } from "./cell.tsx";
import { Choosable } from "./choosable.tsx";

interface Props {
  readonly station: Station;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const KINDS: Readonly<Record<Station["kind"], string>> = {
  host: "host",
  router: "router",
  datastore: "datastore (etcd)",
  outside: "outside the cluster",
};

export function StationBox({ station, x, y, width, height }: Props): JSX.Element {
  const health = healthOf(station);
  const { id, name, kind, node, containers, ports } = station;
  const isHost = kind === "host";
  const [address = ports[0]?.address ?? ""] = node?.addresses ?? [];
  const count = containers.length;
  const words = summaryOf(station);
  const inside = `${count} ${count === 1 ? "container" : "containers"}`;
  // What can be read comes first, line by line, so that it can be said to choose it (WCAG 2.5.3).
  const read = isHost ? [name, address] : [name, KINDS[kind], address];
  const label = [read.join(" "), ...(isHost ? ["host", words, inside] : []), HEALTH_WORDS[health]].join(", ");
  return (
    <>
      <Choosable
        chosen={{ kind: "station", id }}
        label={label}
        class={`station ${kind} ${health}`}
        transform={`translate(${x} ${y})`}
      >
        <rect
          class="ring"
          width={width}
          height={height}
          rx={isHost ? 7 : kind === "router" ? height / 2 : 3}
        />
        <g class="station-mark" transform={`translate(${kind === "router" ? 26 : 22} 21)`}>
          <HealthMark health={health} />
        </g>
        <text class="name station-name" x={kind === "router" ? 41 : 37} y="26">
          {shorten(name, isHost ? 16 : 14)}
        </text>{" "}
        <text class="mono detail" x={kind === "router" ? 26 : 15} y="44">
          {isHost ? shorten(address, 26) : KINDS[kind]}
        </text>
      </Choosable>
      {isHost && (
        <g class="aside" transform={`translate(${x + width - 15} ${y})`} aria-hidden="true">
          <text class="detail end" y="26">
            {shorten(words, 20)}
          </text>
          <text class="detail end" y="44">
            {count > 8 ? inside : ""}
          </text>
        </g>
      )}
    </>
  );
}

/** Who routes, and what travels how. */
function summaryOf({ node }: Station): string {
  const source = node?.routeSource ?? null;
  return [
    ...(source === null ? [] : [source === "bird" ? "BIRD" : "datastore"]),
    ...(node?.encapsulations.map((kind) => TUNNEL_NAMES[kind]) ?? []),
  ].join(" · ");
}
