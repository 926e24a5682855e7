// SPDX-License-Identifier: Apache-2.0
// Segments as rails, and what is plugged into them.
import type { JSX } from "preact";
import { polyline } from "../../model/geometry.ts";
import type { PlacedPort, PlacedSegment } from "../../model/ports.ts";
import { RateWords } from "../parts/rates.tsx";
import { Choosable } from "./choosable.tsx";
import { nameOf } from "./lines.tsx";

export function SegmentRails({ segment }: { readonly segment: PlacedSegment }): JSX.Element {
  const { id, name, cidr, rails } = segment;
  const [first] = rails;
  const last = rails.at(-1);
  if (first === undefined || last === undefined) return <></>;
  return (
    <Choosable
      chosen={{ kind: "segment", id }}
      label={id === "" ? `${name}: stations in no segment` : `${name} ${cidr}, segment of the underlay`}
      class={`segment${id === "" ? " elsewhere" : ""}`}
    >
      <rect
        class="ring title"
        x={first.x1 - 6}
        y={first.y - 27}
        width={rulerOf(name, cidr)}
        height="22"
        rx="4"
      />
      {rails.map(({ x1, x2, y }) => (
        <path key={y} class="rail" d={`M${x1} ${y}H${x2}`} />
      ))}
      {last !== first && <path class="rail" d={`M${first.x1} ${first.y}V${last.y}`} />}
      <text class="segment-name" x={first.x1} y={first.y - 11}>
        {name}{" "}
        <tspan class="mono" dx="5">
          {cidr}
        </tspan>
      </text>
    </Choosable>
  );
}

function rulerOf(name: string, cidr: string): number {
  return 24 + name.length * 8 + cidr.length * 7.4;
}

export function PortLine({ port: placed }: { readonly port: PlacedPort }): JSX.Element {
  const { port, station, line } = placed;
  const [from] = line;
  const to = line.at(-1);
  if (from === undefined || to === undefined) return <></>;
  const state = port.isUp === false ? "down" : port.isUp === null ? "unknown" : "up";
  const isHanging = to.y < from.y;
  // At the end that others' lines do not pass.
  const label = isHanging ? { x: from.x + 9, y: from.y - 8 } : { x: to.x + 8, y: to.y - 7 };
  return (
    <g class={`port ${state}`}>
      <path class="wire" d={polyline(line)} />
      <circle cx={to.x} cy={to.y} r="3.5" />
      {state === "down" && <Cut x={(from.x + to.x) / 2} y={(from.y + to.y) / 2 - (isHanging ? 4 : 0)} />}
      <text class="detail" x={label.x} y={label.y}>
        {isHanging ? "" : `${nameOf(station)} `}
        {port.interface ?? ""}
        {state === "down" && <tspan class="bad"> down</tspan>}
        {isHanging && state === "up" && port.interface !== null && (
          <tspan class="rate" dx="6">
            <RateWords id={`${station}/${port.interface}`} />
          </tspan>
        )}
      </text>
    </g>
  );
}

function Cut({ x, y }: { readonly x: number; readonly y: number }): JSX.Element {
  return (
    <g class="cut" transform={`translate(${x} ${y})`}>
      <circle r="9" />
      <path d="M-4 -4L4 4M4 -4L-4 4" />
    </g>
  );
}
