// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { headersAt } from "../../model/story.ts";
import { byName } from "../../model/topology.ts";
import { Stage } from "../map/stage.tsx";
import { view } from "../state.ts";
import { Headers, PacketOnMap } from "./packet.tsx";
import { type TraceEnds, position, run, story, trace, traceEnds } from "./player.ts";
import { StoryView } from "./story.tsx";

export function TracePage(): JSX.Element {
  useEffect(suggestEnds, []);
  const told = story.value;
  return (
    <div class="split trace">
      <h1 class="unseen">Trace</h1>
      <div class="drawn">
        <Form />
        <Stage overlay={<PacketOnMap />} isTracing={told !== undefined} />
        {told !== undefined && <Headers headers={headersAt(told.steps, position.value)} />}
      </div>
      <div class="side">
        <Result />
      </div>
    </div>
  );
}

function Result(): JSX.Element {
  const current = run.value;
  switch (current.kind) {
    case "none":
      return (
        <p class="hint">
          A trace sends one marked packet from a container, and shows what the live network did with it: each
          route that was chosen and who made it, each header as it was seen, and the way back. Where a path is
          broken, it ends there, with the cause and the remedy.
        </p>
      );
    case "running":
      return (
        <p class="hint" role="status">
          The probe is under way.
        </p>
      );
    case "refused":
      return (
        <div class="verdict broken" role="alert">
          <p class="where">No trace: {current.text}</p>
        </div>
      );
    case "done":
      return <StoryView story={current.story} />;
  }
}

function Form(): JSX.Element {
  const ends = traceEnds.value;
  const set = (change: Partial<TraceEnds>): void => {
    traceEnds.value = { ...traceEnds.value, ...change };
  };
  return (
    <form
      class="trace-form"
      aria-label="What to trace"
      onSubmit={(event) => {
        event.preventDefault();
        void trace();
      }}
    >
      <datalist id="containers">
        {names().map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </datalist>
      <label>
        From
        <input
          required
          list="containers"
          autocomplete="off"
          spellcheck={false}
          value={ends.source}
          onInput={({ currentTarget }) => {
            set({ source: currentTarget.value.trim() });
          }}
        />
      </label>
      <label>
        To
        <input
          required
          list="containers"
          autocomplete="off"
          spellcheck={false}
          value={ends.destination}
          onInput={({ currentTarget }) => {
            set({ destination: currentTarget.value.trim() });
          }}
        />
      </label>
      <label>
        By
        <select
          value={ends.proto}
          onChange={({ currentTarget }) => {
            set({ proto: currentTarget.value as TraceEnds["proto"] });
          }}
        >
          <option value="icmp">ICMP echo</option>
          <option value="tcp">TCP</option>
          <option value="udp">UDP</option>
        </select>
      </label>
      {ends.proto !== "icmp" && (
        <label>
          Port
          <input
            class="port-number"
            required
            type="number"
            min="1"
            max="65535"
            value={ends.port}
            onInput={({ currentTarget }) => {
              set({ port: currentTarget.value });
            }}
          />
        </label>
      )}
      <button type="submit" class="primary" disabled={run.value.kind === "running"}>
        {run.value.kind === "running" ? "Tracing" : "Trace"}
      </button>
    </form>
  );
}

/** In a lab, containers have names; on a node, a trace takes addresses. */
function names(): readonly { readonly value: string; readonly label: string }[] {
  const known = view.value;
  return byName(known?.containers ?? []).flatMap(({ name, node, addresses: [address] }) => {
    if (known?.scope === "lab") return [{ value: name, label: `${address ?? ""} on ${node}` }];
    return address === undefined ? [] : [{ value: address, label: name }];
  });
}

/** The first container, and the first one elsewhere. */
function suggestEnds(): void {
  const { source, destination } = traceEnds.value;
  const list = byName(view.value?.containers ?? []);
  const labels = names();
  const at = source === "" ? 0 : labels.findIndex(({ value }) => value === source);
  const node = list[at]?.node;
  const other = list.findIndex((container) => container.node !== node);
  traceEnds.value = {
    ...traceEnds.value,
    source: source === "" ? (labels[0]?.value ?? "") : source,
    destination: destination === "" ? (labels[other]?.value ?? labels[1]?.value ?? "") : destination,
  };
}
