// SPDX-License-Identifier: Apache-2.0
import { SESSION_STATES } from "../model/bgp-session.ts";
import type { MetricFamily, Sample } from "./exposition.ts";
import type { Meters } from "./meters.ts";
import type { Answer } from "./sources.ts";

/** Numbers of one process, as the operating system and the engine have them. */
export interface ProcessMeasures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapUsedBytes: number;
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly openFiles: number;
}

type ByKind = Readonly<Record<string, number>>;

/** Everything that metrics are made of, at one moment. */
export interface Measurements {
  readonly status: Answer<"status">;
  readonly readiness: Answer<"readiness">;
  readonly bgp: Answer<"bgp">;
  readonly ipam: Answer<"ipam">;
  readonly dataplane: {
    readonly pending: ByKind;
    readonly failures: ByKind;
    readonly routes: ByKind;
  };
  readonly endpoints: number;
  /** Attachments that are gone and that the datastore is still to be told of. */
  readonly journal: number;
  readonly process: ProcessMeasures;
  readonly meters: Meters;
}

interface Metric extends Omit<MetricFamily, "samples"> {
  readonly read: (from: Measurements) => readonly Sample[];
}

/** How many values a label has at the most, where they come from resources or configuration; what is beyond has no sample of its own. */
const MAX_VALUES = 256;

/** Every state has a number: a sample that comes and goes makes no curve. */
const NO_SESSIONS: ByKind = Object.fromEntries(SESSION_STATES.map((state) => [state, 0]));

const METRICS: readonly Metric[] = [
  gauge("margay_info", "The agent that runs here, by its version.", ({ status: { version } }) => [
    { labels: { version }, value: 1 },
  ]),
  gauge("margay_ready", "Whether the node does its work.", ({ readiness }) => one(Number(readiness.ok))),
  gauge("margay_part_ready", "Whether a part of the agent does its work.", ({ readiness }) =>
    readiness.parts.map(({ name, ok }) => ({ labels: { part: name }, value: Number(ok) })),
  ),
  gauge("margay_degradations", "What is amiss and leaves the node ready.", ({ readiness }) =>
    one(readiness.degraded.length),
  ),
  gauge("margay_endpoints", "Interfaces of containers on this node.", ({ endpoints }) => one(endpoints)),
  gauge(
    "margay_unroutable_destinations",
    "Destinations of the cluster that have no route here.",
    ({ status }) => one(status.unroutable.length),
  ),
  gauge("margay_routes", "Routes that stand in the kernel, by who has brought them.", ({ dataplane }) =>
    byLabel("origin", dataplane.routes),
  ),
  gauge("margay_dataplane_objects_wanted", "Objects that the kernel should have.", ({ status }) =>
    byLabel("kind", status.dataplane.wanted),
  ),
  gauge(
    "margay_dataplane_objects_pending",
    "Objects that wait to be looked at, or are being worked on.",
    ({ dataplane }) => byLabel("kind", dataplane.pending),
  ),
  gauge(
    "margay_dataplane_objects_faulty",
    "Objects whose last change has failed; each is tried again.",
    ({ status }) => byLabel("kind", countByKind(status.dataplane.wanted, status.dataplane.faults)),
  ),
  gauge("margay_dataplane_objects_blocked", "Objects that wait for something else.", ({ status }) =>
    byLabel("kind", countByKind(status.dataplane.wanted, status.dataplane.blocked)),
  ),
  counter("margay_dataplane_errors_total", "Changes of the kernel that have failed.", ({ dataplane }) =>
    byLabel("kind", dataplane.failures),
  ),
  histogram(
    "margay_dataplane_apply_duration_seconds",
    "How long one application of changes to the kernel took.",
    ({ meters }) => meters.applications.samples(),
  ),
  histogram(
    "margay_dataplane_change_latency_seconds",
    "How long it took from a change of what is wanted until it was applied.",
    ({ meters }) => meters.changes.samples(),
  ),
  histogram(
    "margay_datastore_request_duration_seconds",
    "How long requests of the datastore took, other programs' by this agent among them.",
    ({ meters }) => meters.requestSamples(),
  ),
  counter(
    "margay_datastore_errors_total",
    "Requests of the datastore that have failed, by the kind of the error.",
    ({ meters }) => meters.datastoreErrors.samples(),
  ),
  counter(
    "margay_datastore_watch_interruptions_total",
    "Watches of the datastore that ended by themselves, and were begun anew.",
    ({ meters }) => meters.watchInterruptions.samples(),
  ),
  gauge("margay_bird_running", "Whether this node's BIRD runs.", ({ bgp }) =>
    one(Number(bgp.state === "running")),
  ),
  gauge("margay_bgp_sessions", "BGP sessions by their state (RFC 4271, section 8.2.2).", ({ bgp }) =>
    byLabel("state", { ...NO_SESSIONS, ...countBy(bgp.sessions, ({ state }) => state) }),
  ),
  gauge(
    "margay_bgp_sessions_missing",
    "BGP sessions that are wanted, and that BIRD does not have.",
    ({ bgp }) => one(bgp.missing.length),
  ),
  gauge("margay_bgp_session_established", "Whether the BGP session with a peer stands.", ({ bgp }) =>
    bgp.sessions
      .slice(0, MAX_VALUES)
      .map(({ peer, state }) => ({ labels: { peer }, value: Number(state === "Established") })),
  ),
  gauge("margay_bgp_routes", "Routes taken from all peers, and given to them.", ({ bgp: { sessions } }) =>
    byLabel("direction", {
      imported: sum(sessions.map(({ imported }) => imported)),
      exported: sum(sessions.map(({ exported }) => exported)),
    }),
  ),
  gauge("margay_ipam_pool_addresses", "Addresses that a pool has.", ({ ipam }) =>
    byPool(ipam, ({ addresses }) => Number(addresses)),
  ),
  gauge(
    "margay_ipam_pool_addresses_in_use",
    "Addresses of a pool that somebody holds, on any node.",
    ({ ipam }) => byPool(ipam, ({ inUse }) => inUse),
  ),
  gauge("margay_ipam_pool_blocks", "Blocks of a pool, on any node.", ({ ipam }) =>
    byPool(ipam, ({ blocks }) => blocks),
  ),
  gauge("margay_ipam_node_blocks", "Blocks that are this node's.", (from) => one(ownBlocks(from).length)),
  gauge("margay_ipam_node_addresses", "Addresses of this node's blocks, by what they are.", (from) => {
    const blocks = ownBlocks(from);
    const [total, inUse, free] = (["addresses", "inUse", "free"] as const).map((field) =>
      sum(blocks.map((block) => block[field])),
    ) as [number, number, number];
    return byLabel("state", { in_use: inUse, free, cooling_down: total - inUse - free });
  }),
  histogram("margay_cni_call_duration_seconds", "How long calls of the plugin took.", ({ meters }) =>
    meters.callSamples(),
  ),
  counter(
    "margay_cni_errors_total",
    "Calls of the plugin that have failed, by the kind of the error.",
    ({ meters }) => meters.callErrors.samples(),
  ),
  gauge(
    "margay_cni_journal_entries",
    "Interfaces of containers that are gone, and that the datastore is still to be told of.",
    ({ journal }) => one(journal),
  ),
  counter("margay_api_responses_total", "Answers of the API, by their HTTP status.", ({ meters }) =>
    meters.answers.samples(),
  ),
  counter("process_cpu_seconds_total", "Time that the agent has kept a processor busy.", ({ process }) =>
    one(process.cpuSeconds),
  ),
  gauge("process_resident_memory_bytes", "Memory that the agent occupies.", ({ process }) =>
    one(process.residentBytes),
  ),
  gauge("process_start_time_seconds", "When the agent has started, in seconds since 1970.", ({ process }) =>
    one(process.startedAt),
  ),
  gauge("process_open_fds", "Files and sockets that the agent has open.", ({ process }) =>
    one(process.openFiles),
  ),
  gauge(
    "nodejs_heap_size_used_bytes",
    "Memory that live and not yet collected objects of the agent occupy.",
    ({ process }) => one(process.heapUsedBytes),
  ),
];

/** The metrics, in the order in which they are described. */
export function metricFamilies(from: Measurements): readonly MetricFamily[] {
  return METRICS.map(({ read, ...metric }) => ({ ...metric, samples: read(from) }));
}

type Read = Metric["read"];

function gauge(name: string, help: string, read: Read): Metric {
  return { name, type: "gauge", help, read };
}

function counter(name: string, help: string, read: Read): Metric {
  return { name, type: "counter", help, read };
}

function histogram(name: string, help: string, read: Read): Metric {
  return { name, type: "histogram", help, read };
}

function one(value: number): readonly Sample[] {
  return [{ value }];
}

function byLabel(label: string, values: ByKind): readonly Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function byPool(
  { pools }: Answer<"ipam">,
  valueOf: (pool: Answer<"ipam">["pools"][number]) => number,
): readonly Sample[] {
  return pools.slice(0, MAX_VALUES).map((pool) => ({ labels: { pool: pool.name }, value: valueOf(pool) }));
}

function ownBlocks({ ipam, status }: Measurements): Answer<"ipam">["blocks"] {
  return ipam.blocks.filter(({ node }) => node === status.nodeName);
}

/** Likewise every kind. */
function countByKind(kinds: ByKind, items: readonly { readonly kind: string }[]): ByKind {
  const none = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0]));
  return { ...none, ...countBy(items, ({ kind }) => kind) };
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): ByKind {
  const counts: Record<string, number> = {};
  for (const key of items.map(keyOf)) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
