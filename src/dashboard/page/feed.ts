// SPDX-License-Identifier: Apache-2.0
// Follows the server: the view first, then its changes and the log, for as long as the page is open.
import { applyChange } from "../../web/view/apply-change.ts";
import { type ServerEvent, readEvents } from "../../web/view/read-events.ts";
import type { LogEvent, View, ViewChange } from "../../web/view/view.ts";
import { addEvent } from "../model/log.ts";
import { RefusedError, ask } from "./client.ts";
import { connection, log, rates, readings, view } from "./state.ts";

const RETRY_MS = 1000;
/** The server shows each 15 s that it is there. */
const SILENCE_MS = 40_000;
/** The server's clock, compared with this one's. */
let aheadMs = 0;

export async function follow(): Promise<never> {
  setInterval(noteRates, 1000);
  for (;;) {
    const watch = new AbortController();
    try {
      await followOnce(watch);
    } catch (error) {
      connection.value =
        error instanceof RefusedError && error.status === 401
          ? "refused"
          : view.value === undefined
            ? "connecting"
            : "lost";
    } finally {
      watch.abort();
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function followOnce(watch: AbortController): Promise<void> {
  const response = await ask("api/v1/view/events", watch.signal);
  for await (const event of readEvents(textOf(response, watch))) take(event);
  throw new Error("the server has ended the stream");
}

/** Gives up where nothing comes for too long. */
async function* textOf({ body }: Response, watch: AbortController): AsyncGenerator<string> {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  while (reader !== undefined) {
    const silence = setTimeout(() => {
      watch.abort();
    }, SILENCE_MS);
    const { done, value } = await reader.read().finally(() => {
      clearTimeout(silence);
    });
    if (done) return;
    yield value;
  }
}

function take({ name, data }: ServerEvent): void {
  if (name === "view") {
    view.value = JSON.parse(data) as View;
    connection.value = "live";
    // Nobody knows how long ago its counters were read: they begin with the first change.
    aheadMs = view.value.at - Date.now();
    rates.forget(view.value.counters.map(({ id }) => id));
  } else if (name === "change" && view.value !== undefined) {
    const change = JSON.parse(data) as ViewChange;
    view.value = applyChange(view.value, change);
    if (change.counters !== undefined) {
      rates.forget(change.counters.removed);
      readCounters(change.at, change.counters.set);
    }
  } else if (name === "event") {
    log.value = addEvent(log.value, JSON.parse(data) as LogEvent);
  }
}

function readCounters(atMs: number, items: View["counters"]): void {
  aheadMs = atMs - Date.now();
  rates.read(atMs, items);
}

function noteRates(): void {
  if (connection.value !== "live") return;
  rates.note(Date.now() + aheadMs);
  readings.value += 1;
}
