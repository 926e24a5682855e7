// SPDX-License-Identifier: Apache-2.0
// The trace that is shown, and how far its packet has come.
import { computed, effect, signal } from "@preact/signals";
import { type Move, type Story, faultPlace, movesOf } from "../../model/story.ts";
import { lengthOf } from "../../model/geometry.ts";
import { RefusedError, askJson } from "../client.ts";
import { layout, view } from "../state.ts";

export interface TraceEnds {
  readonly source: string;
  readonly destination: string;
  readonly proto: "icmp" | "tcp" | "udp";
  readonly port: string;
}

export const traceEnds = signal<TraceEnds>({ source: "", destination: "", proto: "icmp", port: "" });

export type Run =
  | { readonly kind: "none" }
  | { readonly kind: "running" }
  | { readonly kind: "refused"; readonly text: string }
  | { readonly kind: "done"; readonly story: Story };

export const run = signal<Run>({ kind: "none" });
/** The step that is shown, from 0 on. */
export const position = signal(0);
/** How much of the way to it the packet has made, 0 to 1. */
export const progress = signal(1);
export const isPlaying = signal(false);

export const story = computed(() => (run.value.kind === "done" ? run.value.story : undefined));

const containers = computed(() => view.value?.containers ?? []);

export const moves = computed((): readonly Move[] =>
  story.value === undefined ? [] : movesOf(story.value, layout.value, containers.value),
);

export const faultAt = computed(() =>
  story.value === undefined ? undefined : faultPlace(story.value, layout.value, containers.value)?.at,
);

/** Time to read what happens, and for a way of this many units of the map. */
const READ_MS = 650;
const UNITS_PER_MS = 0.55;
const LONGEST_MS = 1100;

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export async function trace(): Promise<void> {
  const { source, destination, proto, port } = traceEnds.value;
  run.value = { kind: "running" };
  isPlaying.value = false;
  const question = new URLSearchParams({ source, destination, proto, ...(proto === "icmp" ? {} : { port }) });
  try {
    const told = await askJson<Story>(`api/v1/trace?${question.toString()}`);
    run.value = { kind: "done", story: told };
    position.value = 0;
    progress.value = 1;
    isPlaying.value = !reducedMotion.matches && told.steps.length > 0;
  } catch (error) {
    const text = error instanceof RefusedError ? error.message : "the server does not answer";
    run.value = { kind: "refused", text };
  }
}

/** To a step, at once. */
export function goTo(index: number): void {
  isPlaying.value = false;
  position.value = Math.max(0, Math.min(index, lastStep()));
  progress.value = 1;
}

/** To the next step or the one before; forward, the packet travels there. */
export function stepBy(count: 1 | -1): void {
  if (count < 0 || position.value >= lastStep()) {
    goTo(position.value + count);
    return;
  }
  isPlaying.value = false;
  position.value += 1;
  progress.value = reducedMotion.matches ? 1 : 0;
}

export function playOrPause(): void {
  if (!isPlaying.value && position.value >= lastStep()) {
    position.value = 0;
    progress.value = 1;
  }
  isPlaying.value = !isPlaying.value;
}

function lastStep(): number {
  return Math.max(0, (story.value?.steps.length ?? 1) - 1);
}

function moveMs(): number {
  const length = lengthOf(moves.value[position.value]?.points ?? []);
  return Math.min(LONGEST_MS, length / UNITS_PER_MS);
}

let frame = 0;
let before = 0;
let rested = 0;

/** Runs while there is something to move, and not a frame longer. */
effect(() => {
  const isBusy = isPlaying.value || progress.value < 1;
  if (!isBusy || frame !== 0) return;
  before = 0;
  rested = 0;
  frame = requestAnimationFrame(advance);
});

function advance(now: number): void {
  const elapsed = before === 0 ? 0 : now - before;
  before = now;
  if (progress.value < 1) {
    const all = moveMs();
    progress.value = all === 0 || reducedMotion.matches ? 1 : Math.min(1, progress.value + elapsed / all);
    rested = 0;
  } else if (isPlaying.value) {
    rested += elapsed;
    if (rested >= READ_MS * (reducedMotion.matches ? 2 : 1)) next();
  }
  frame = isPlaying.value || progress.value < 1 ? requestAnimationFrame(advance) : 0;
}

function next(): void {
  rested = 0;
  if (position.value >= lastStep()) {
    isPlaying.value = false;
    return;
  }
  position.value += 1;
  progress.value = 0;
}
