// SPDX-License-Identifier: Apache-2.0
// What the page knows, and what follows from it.
import { type ReadonlySignal, computed, signal } from "@preact/signals";
import type { LogEvent, View } from "../../web/view/view.ts";
import { type MapLayout, layOut } from "../model/layout.ts";
import { type Problem, problemsOf } from "../model/problems.ts";
import { NO_RATE, type Rate, createRateMeter } from "../model/rates.ts";
import { type Selection, type Topology, topologyOf } from "../model/topology.ts";

/** `refused`: the server does not know the token. */
export type Connection = "connecting" | "live" | "lost" | "refused";

export const connection = signal<Connection>("connecting");
export const view = signal<View | undefined>(undefined);
/** Whether there is a view at all: changes of it do not change that. */
export const isKnown = computed(() => view.value !== undefined);
export const log = signal<readonly LogEvent[]>([]);
export const selection = signal<Selection | undefined>(undefined);
/** Width by height of the room that the map has. */
export const aspect = signal(1.6);

export const rates = createRateMeter();
/** Grows as rates are noted, each second. */
export const readings = signal(0);

/** Whoever asks is asked for again with the next note. */
export function rateOf(id: string): Rate {
  return readings.value > 0 ? rates.rate(id) : NO_RATE;
}

export function historyOf(id: string): readonly Rate[] {
  return readings.value > 0 ? rates.history(id) : [];
}

/** Parts of the view that stay the same object while nothing in them changes, so that what follows from them is not computed anew. */
function part<Name extends keyof View>(name: Name): ReadonlySignal<View[Name] | undefined> {
  return computed(() => view.value?.[name]);
}

const segments = part("segments");
const machines = part("machines");
const nodes = part("nodes");
const containers = part("containers");
const sessions = part("sessions");
const tunnels = part("tunnels");
const pools = part("pools");

export const topology = computed<Topology>(() =>
  topologyOf({
    machines: machines.value ?? [],
    nodes: nodes.value ?? [],
    containers: containers.value ?? [],
    sessions: sessions.value ?? [],
    tunnels: tunnels.value ?? [],
  }),
);

export const layout = computed<MapLayout>(() =>
  layOut(segments.value ?? [], topology.value.stations, aspect.value),
);

export const problems = computed<readonly Problem[]>(() =>
  problemsOf({ pools: pools.value ?? [], tunnels: tunnels.value ?? [] }, topology.value),
);
