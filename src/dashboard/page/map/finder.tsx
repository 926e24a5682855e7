// SPDX-License-Identifier: Apache-2.0
// Finds a container or station by name or address.
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { topology } from "../state.ts";
import { type Item, items, keyOf } from "./items.ts";

const MOST = 7;

interface Found {
  readonly key: string;
  readonly name: string;
  readonly detail: string;
}

/** Those whose name begins so first. */
function find(text: string): readonly Found[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [];
  const all = topology.value.stations.flatMap(({ id, name, ports, containers }) => [
    {
      key: keyOf({ kind: "station", id }),
      name,
      detail: ports.map(({ address }) => address).join(" "),
    },
    ...containers.map((container) => ({
      key: keyOf({ kind: "container", id: container.id }),
      name: container.name,
      detail: `${container.addresses.join(" ")} on ${container.node}`,
    })),
  ]);
  const rank = ({ name, detail }: Found): number =>
    name.toLowerCase() === wanted
      ? 0
      : name.toLowerCase().startsWith(wanted)
        ? 1
        : detail.startsWith(wanted)
          ? 2
          : 3;
  return all
    .filter(({ name, detail }) => `${name} ${detail}`.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MOST);
}

export function Finder({ onFound }: { readonly onFound: (item: Item) => void }): JSX.Element {
  const text = useSignal("");
  const found = find(text.value);
  const take = (key: string | undefined): void => {
    const item = items.value.get(key ?? "");
    if (item === undefined) return;
    text.value = "";
    onFound(item);
  };
  return (
    <form
      class="finder"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        take(found[0]?.key);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") text.value = "";
      }}
    >
      <input
        type="search"
        aria-label="Find by name or address"
        placeholder="Find name or address"
        value={text.value}
        onInput={({ currentTarget }) => (text.value = currentTarget.value)}
      />
      {text.value.trim() !== "" && (
        <ul aria-label="Found">
          {found.length === 0 && <li class="none">nothing of that name or address</li>}
          {found.map(({ key, name, detail }) => (
            <li key={key}>
              <button
                type="button"
                onClick={() => {
                  take(key);
                }}
              >
                <b>{name}</b> <span class="mono">{detail}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}
