// SPDX-License-Identifier: Apache-2.0
// Who talks with whom: BGP sessions and tunnels.
import type { JSX } from "preact";
import { type SessionPair, TUNNEL_NAMES, type TunnelPair } from "../../model/topology.ts";
import { topology } from "../state.ts";
import { Choosable } from "./choosable.tsx";
import type { DrawnPair } from "./items.ts";

export function nameOf(id: string | null): string {
  return topology.value.stations.find((station) => station.id === id)?.name ?? id ?? "";
}

/** What the worse of its ends says. */
export function stateOf({ ends, isEstablished }: SessionPair): string {
  if (isEstablished) return "Established";
  return ends.find(({ state }) => state !== "Established")?.state ?? "not configured";
}

export function SessionLine({ pair, arc, isQuiet }: DrawnPair<SessionPair>): JSX.Element {
  const state = stateOf(pair);
  const family = pair.ends[0]?.family === 6 ? " IPv6" : "";
  const words = pair.isEstablished ? `BGP${family}` : `BGP${family} ${state}`;
  return (
    <Choosable
      chosen={{ kind: "session", id: pair.id }}
      label={`${words}: session ${nameOf(pair.a)} – ${nameOf(pair.b)}, ${state}`}
      class={`session ${pair.isEstablished ? "up" : "down"}${isQuiet ? " silent" : ""}`}
    >
      <path class="reach" d={arc.path} />
      <path class="line" d={arc.path} />
      <Pill {...arc.label} words={words} isBroken={!pair.isEstablished} />
    </Choosable>
  );
}

export function TunnelLine({ pair, arc, isQuiet }: DrawnPair<TunnelPair>): JSX.Element {
  const name = TUNNEL_NAMES[pair.kind];
  const words = pair.isUp ? name : `${name} down`;
  return (
    <Choosable
      chosen={{ kind: "tunnel", id: pair.id }}
      label={`${words}: tunnel ${nameOf(pair.a)} – ${nameOf(pair.b)}, ${pair.isUp ? "up" : "down"}`}
      class={`tunnel ${pair.isUp ? "up" : "down"}${isQuiet ? " silent" : ""}`}
    >
      <path class="reach" d={arc.path} />
      <path class="casing" d={arc.path} />
      <path class="core" d={arc.path} />
      <Pill {...arc.label} words={words} isBroken={!pair.isUp} />
    </Choosable>
  );
}

function Pill(props: {
  readonly x: number;
  readonly y: number;
  readonly words: string;
  readonly isBroken: boolean;
}): JSX.Element {
  const width = 16 + props.words.length * 7 + (props.isBroken ? 12 : 0);
  return (
    <g class="pill" transform={`translate(${props.x} ${props.y})`}>
      <rect class="ring" x={-width / 2} y="-10" width={width} height="20" rx="10" />
      {props.isBroken && (
        <path
          class="cross"
          transform={`translate(${12 - width / 2} 0)`}
          d="M-3.5 -3.5L3.5 3.5M3.5 -3.5L-3.5 3.5"
        />
      )}
      <text x={props.isBroken ? 6 : 0} y="4">
        {props.words}
      </text>
    </g>
  );
}
