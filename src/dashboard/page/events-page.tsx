// SPDX-License-Identifier: Apache-2.0
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { LogEvent } from "../../web/view/view.ts";
import { Clock } from "./parts/time.tsx";
import { log } from "./state.ts";

type Least = "info" | "warning" | "error";
const LEVELS: readonly Least[] = ["info", "warning", "error"];
const SIGNS: Readonly<Record<Least, string>> = { info: "·", warning: "!", error: "✕" };

export function EventsPage(): JSX.Element {
  const text = useSignal("");
  const least = useSignal<Least>("info");
  const node = useSignal("");
  const nodes = [...new Set(log.value.flatMap((event) => event.node ?? []))].sort();
  const shown = log.value.filter(matcher(text.value, least.value, node.value)).toReversed();
  return (
    <div class="sheet">
      <h1>Events</h1>
      <form
        class="filter"
        role="search"
        aria-label="Filter"
        onSubmit={(event) => {
          event.preventDefault();
        }}
      >
        <label>
          Text
          <input
            type="search"
            value={text.value}
            onInput={({ currentTarget }) => (text.value = currentTarget.value)}
          />
        </label>
        <label>
          Node
          <select value={node.value} onChange={({ currentTarget }) => (node.value = currentTarget.value)}>
            <option value="">all</option>
            {nodes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Level
          <select
            value={least.value}
            onChange={({ currentTarget }) => (least.value = currentTarget.value as Least)}
          >
            <option value="info">all</option>
            <option value="warning">warnings and errors</option>
            <option value="error">errors</option>
          </select>
        </label>
        <p class="shown" role="status">
          {shown.length} of {log.value.length}
        </p>
      </form>
      {shown.length === 0 ? (
        <p class="hint">
          {log.value.length === 0 ? "Nothing has happened since the server started." : "None of these."}
        </p>
      ) : (
        <ol class="events" reversed aria-label="Events, the newest first">
          {shown.map((event) => (
            <EventLine key={event.id} {...event} />
          ))}
        </ol>
      )}
    </div>
  );
}

function matcher(text: string, least: Least, node: string): (event: LogEvent) => boolean {
  const wanted = text.trim().toLowerCase();
  return (event) =>
    LEVELS.indexOf(event.level) >= LEVELS.indexOf(least) &&
    (node === "" || event.node === node) &&
    `${event.node ?? ""} ${event.text}`.toLowerCase().includes(wanted);
}

function EventLine({ atMs, node, level, text }: Omit<LogEvent, "id">): JSX.Element {
  return (
    <li class={level}>
      <Clock ms={atMs} />
      <span class="level">
        <span aria-hidden="true">{SIGNS[level]}</span>
        <span class="unseen">{level}</span>
      </span>
      <span class="node">{node ?? ""}</span>
      <span class="text">{text}</span>
    </li>
  );
}
