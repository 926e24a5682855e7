// SPDX-License-Identifier: Apache-2.0
// Traces for who asks by HTTP: what `margay trace --json` prints.
import { LabError } from "../../lab/error.ts";
import type { Lab } from "../../lab/lab.ts";
import { type Ip, familyOf } from "../../net/ip.ts";
import { type ObserveRequest, type ProbeRequest, observe } from "../../observe/observe.ts";
import { systemProcesses } from "../../system/process.ts";
import { explain } from "../../trace/explain.ts";
import { traceToJson } from "../../trace/render.ts";
import type { Trace } from "../../trace/trace.ts";
import type { TraceQuestion, Tracer } from "../../web/view/source.ts";
import { CommandError } from "../exit.ts";
import { openCommandStore } from "../store.ts";
import { type NodeOptions, type TracedEnds, addressIn, endsInLab, endsOnNode } from "./places.ts";
import { findRemote } from "./remote.ts";

/** As `ping` sends it. */
export const DEFAULT_BYTES = 84;

/** Where a probe goes from and to, and another node's part in it, if it has one. */
export type Ends = TracedEnds & Pick<ObserveRequest, "remote">;

interface Held {
  /** Takes what is open for as long as the trace runs. */
  readonly stack: AsyncDisposableStack;
  readonly signal: AbortSignal;
}

/** From a container of this node, by their addresses: the node that has the other takes part. */
export function createNodeTracer(node: Required<NodeOptions>): Tracer {
  return (question, options) =>
    answer(question, options, async ({ source, destination }, held) => {
      const [src, dst] = [addressIn(source), addressIn(destination)];
      if (src === undefined || dst === undefined || familyOf(src) !== familyOf(dst))
        throw new CommandError("invalid", "Cannot trace on a node: want two addresses of one family");
      return await endsFromNode(src, dst, node, held);
    });
}

/** As {@link endsOnNode}, and with the node that has the destination, if this one has it not. */
export async function endsFromNode(
  src: Ip,
  dst: Ip,
  node: Required<NodeOptions>,
  { stack, signal }: Held,
): Promise<Ends> {
  const ends = await endsOnNode(src, dst, node);
  if (ends.destination !== undefined) return ends;
  const store = stack.use(openCommandStore({ socket: node.socket }));
  const remote = await findRemote(store, node.nodeName, dst, signal);
  return remote === undefined ? ends : { ...ends, remote: stack.use(remote) };
}

/** Between containers of the lab, by their names or addresses. */
export function createLabTracer(lab: Pick<Lab, "name" | "status">): Tracer {
  return (question, options) =>
    answer(question, options, async ({ source, destination }) =>
      endsInLab(await lab.status(), source, destination, { lab: lab.name }),
    );
}

/** Sends the probe between these ends. Rejects as {@link observe} does. */
export async function runTrace(
  { src, dst, ...ends }: Ends,
  probe: Pick<ProbeRequest, "kind" | "packetBytes" | "port">,
  options: { readonly signal: AbortSignal },
): Promise<Trace> {
  const request = { ...ends, probe: { ...probe, src, dst } };
  return explain(await observe({ processes: systemProcesses }, request, options));
}

async function answer(
  question: TraceQuestion,
  options: { readonly signal: AbortSignal },
  findEnds: (question: TraceQuestion, held: Held) => Promise<Ends>,
): ReturnType<Tracer> {
  const { proto: kind, port = 0 } = question;
  try {
    await using stack = new AsyncDisposableStack();
    const ends = await findEnds(question, { stack, ...options });
    const trace = await runTrace(ends, { kind, port, packetBytes: DEFAULT_BYTES }, options);
    return { kind: "traced", trace: traceToJson(trace) };
  } catch (error) {
    if (error instanceof CommandError || error instanceof LabError)
      return { kind: "absent", why: error.message };
    throw error;
  }
}
