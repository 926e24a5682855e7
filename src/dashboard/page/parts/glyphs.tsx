// SPDX-License-Identifier: Apache-2.0
// Signs that differ in shape as well as in colour.
import type { JSX } from "preact";
import type { Health } from "../../model/topology.ts";

export const HEALTH_WORDS: Readonly<Record<Health, string>> = {
  ready: "ready",
  not: "not ready",
  unknown: "state unknown",
};

/** Drawn around the origin, 12 wide; for use inside of another SVG. */
export function HealthMark({ health }: { readonly health: Health }): JSX.Element {
  switch (health) {
    case "ready":
      return (
        <g class="mark ready">
          <circle r="6" />
          <path d="M-2.8 0.2 L-0.8 2.2 L2.9 -2" />
        </g>
      );
    case "not":
      return (
        <g class="mark not">
          <path class="body" d="M0 -7 L7.4 6 H-7.4 Z" />
          <path d="M0 -2.6 V1.4 M0 3.6 V3.7" />
        </g>
      );
    case "unknown":
      return (
        <g class="mark unknown">
          <circle r="5.4" />
        </g>
      );
  }
}

/** With its words, for text. */
export function HealthSign({
  health,
  words = HEALTH_WORDS[health],
}: {
  readonly health: Health;
  readonly words?: string;
}): JSX.Element {
  return (
    <span class={`health ${health}`}>
      <Sign health={health} />
      {words}
    </span>
  );
}

export function Sign({ health }: { readonly health: Health }): JSX.Element {
  return (
    <svg class="sign" viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true">
      <HealthMark health={health} />
    </svg>
  );
}

export function Mark(): JSX.Element {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <path d="M22.4 8.2A10 10 0 1 0 25.6 18.8" />
      <circle cx="16" cy="16" r="3.4" />
    </svg>
  );
}
