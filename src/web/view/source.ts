// SPDX-License-Identifier: Apache-2.0
import type { Reply } from "../reply.ts";
import type { EventLog } from "./event-log.ts";
import type { TraceQuestion } from "./trace-question.ts";
import type { View } from "./view.ts";

export type { TraceQuestion } from "./trace-question.ts";

/** A view that is kept up to date until it is disposed. */
export interface LiveView extends AsyncDisposable {
  /** As it is now. A collection that has not changed since is the very same one. */
  read(): View;
  /** Resolves once anything may have changed since the call of {@link LiveView.read} before; rejects with the signal's reason. */
  changed(signal: AbortSignal): Promise<void>;
  readonly log: EventLog;
}

/** Details of one node. */
export const NODE_DETAILS = ["routes", "neighbours", "bgp"] as const;
export type NodeDetail = (typeof NODE_DETAILS)[number];

/** What the dashboard is served from. */
export interface DashboardSources {
  /** Begins to keep a view; resolves once all of it is there that comes within a short time. */
  readonly open: () => Promise<LiveView>;
  /** `undefined` for a node that is not known here. */
  readonly detail: (node: string, detail: NodeDetail, signal: AbortSignal) => Promise<Reply | undefined>;
  /** Sends a probe. @default nobody here can */
  readonly trace?: Tracer | undefined;
}

/** Sends one probe, and tells what came of it. Rejects with the signal's reason. */
export type Tracer = (
  question: TraceQuestion,
  options: { readonly signal: AbortSignal },
) => Promise<TraceOutcome>;

export type TraceOutcome =
  | { readonly kind: "traced"; readonly trace: object }
  /** An end is none that a probe can be sent from or to. */
  | { readonly kind: "absent"; readonly why: string };
