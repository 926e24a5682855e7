// SPDX-License-Identifier: Apache-2.0
// All of the map, from the back to the front.
import type { ComponentChildren, JSX } from "preact";
import { layout, selection } from "../state.ts";
import { Cell } from "./cell.tsx";
import { drawnSessions, drawnTunnels, items, keyOf, moveCursor } from "./items.ts";
import { SessionLine, TunnelLine } from "./lines.tsx";
import { StationBox } from "./station.tsx";
import { PortLine, SegmentRails } from "./underlay.tsx";

interface Props {
  readonly width: number;
  readonly height: number;
  readonly overlay: ComponentChildren;
}

export function Drawing({ width, height, overlay }: Props): JSX.Element {
  const { segments, stations, containers, ports, cells } = layout.value;
  return (
    <svg
      class="map"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="group"
      aria-label="Map. Arrow keys go from one thing to the next, Enter shows what it is; plus, minus and zero zoom, Shift with arrow keys moves the map."
      onClick={choose}
    >
      <g class="lines">
        {drawnTunnels.value.map((drawn) => (
          <TunnelLine key={drawn.pair.id} {...drawn} />
        ))}
        {drawnSessions.value.map((drawn) => (
          <SessionLine key={drawn.pair.id} {...drawn} />
        ))}
      </g>
      <g class="underlay">
        {segments.map((segment) => (
          <SegmentRails key={segment.id} segment={segment} />
        ))}
        {Array.from(ports.values(), (port) => (
          <PortLine key={port.key} port={port} />
        ))}
      </g>
      <g class="stations">
        {Array.from(stations.values(), ({ station, rect }) => (
          <StationBox key={station.id} station={station} {...rect} />
        ))}
      </g>
      <g class="cells">
        {Array.from(stations.values(), ({ station }) =>
          station.containers.map((container) => {
            const rect = containers.get(container.id);
            return rect && <Cell key={container.id} container={container} kind={cells.kind} {...rect} />;
          }),
        )}
      </g>
      {overlay}
    </svg>
  );
}

/** One listener for all that can be selected. */
function choose({ target }: MouseEvent): void {
  const key =
    target instanceof Element ? target.closest<SVGElement>("[data-key]")?.dataset["key"] : undefined;
  const item = items.value.get(key ?? "");
  selection.value = item?.selection;
  if (item !== undefined) moveCursor(keyOf(item.selection));
}
