// SPDX-License-Identifier: Apache-2.0
import { useComputed } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import type { Selection } from "../../model/topology.ts";
import { cursor, isSelected, keyOf } from "./items.ts";

interface Props {
  readonly chosen: Selection;
  readonly label: string;
  readonly class: string;
  readonly transform?: string;
  readonly children: ComponentChildren;
}

/** A thing on the map that can be selected. Only the attributes follow the cursor: nothing is rendered anew. */
export function Choosable({ chosen, label, class: name, transform, children }: Props): JSX.Element {
  const key = keyOf(chosen);
  const tabIndex = useComputed(() => (cursor.value === key ? 0 : -1));
  const pressed = useComputed(() => isSelected(chosen));
  return (
    <g
      class={`item ${name}`}
      data-key={key}
      role="button"
      tabindex={tabIndex}
      aria-pressed={pressed}
      aria-label={label}
      transform={transform}
    >
      {children}
    </g>
  );
}
