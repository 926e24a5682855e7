// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import { Sign } from "../parts/glyphs.tsx";
import { layout, topology } from "../state.ts";

/** What is on the map, and nothing else. */
export function Legend(): JSX.Element {
  const { sessions, tunnels } = topology.value;
  return (
    <ul class="legend" aria-label="What the signs mean">
      <li>
        <Sign health="ready" /> ready
      </li>
      <li>
        <Sign health="not" /> not ready
      </li>
      <li>
        <Sign health="unknown" /> unknown
      </li>
      <li>
        <Line kind="rail" /> segment
      </li>
      {sessions.length > 0 && (
        <li>
          <Line kind="session up" /> BGP
        </li>
      )}
      {sessions.some(({ isEstablished }) => !isEstablished) && (
        <li>
          <Line kind="session down" /> not established
        </li>
      )}
      {tunnels.length > 0 && (
        <li>
          <Line kind="tunnel up" /> tunnel
        </li>
      )}
      {layout.value.containers.size > 0 && (
        <li>
          <Line kind="busy" /> traffic of a container
        </li>
      )}
    </ul>
  );
}

function Line({ kind }: { readonly kind: string }): JSX.Element {
  return (
    <svg class={`sample ${kind}`} viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">
      <path class="casing" d="M1 6H27" />
      <path class="line core" d="M1 6H27" />
    </svg>
  );
}
