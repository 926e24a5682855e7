// SPDX-License-Identifier: Apache-2.0
// Traces for who asks by HTTP: what `margay trace --json` prints.
import { LabError } from "../../lab/error.ts";
import type { Lab } from "../../lab/lab.ts";
import { isIpv4 } from "../../net/ipv4.ts";
import { type ProbeRequest, observe } from "../../observe/observe.ts";
import { systemProcesses } from "../../system/process.ts";
import { explain } from "../../trace/explain.ts";
import { traceToJson } from "../../trace/render.ts";
import type { Trace } from "../../trace/trace.ts";
import type { TraceQuestion, Tracer } from "../../web/view/source.ts";
import { CommandError } from "../exit.ts";
import { type TracedEnds, endsInLab, endsOnNode } from "./places.ts";

/** As `ping` sends it. */
export const DEFAULT_BYTES = 84;

/** Between containers of this node, by their addresses. */
export function createNodeTracer(nodeName: string): Tracer {
  return (question, options) =>
    answer(question, options, async ({ source, destination }) => {
      if (!isIpv4(source) || !isIpv4(destination))
        throw new CommandError("invalid", "Cannot trace on a node: want IPv4 addresses");
      return await endsOnNode(source, destination, nodeName);
    });
}

/** Between containers of the lab, by their names or addresses. */
export function createLabTracer(lab: Pick<Lab, "status">): Tracer {
  return (question, options) =>
    answer(question, options, async ({ source, destination }) =>
      endsInLab(await lab.status(), source, destination),
    );
}

/** Sends the probe between these ends. Rejects as {@link observe} does. */
export async function runTrace(
  { src, dst, ...ends }: TracedEnds,
  probe: Pick<ProbeRequest, "kind" | "packetBytes" | "port">,
  options: { readonly signal: AbortSignal },
): Promise<Trace> {
  const request = { ...ends, probe: { ...probe, src, dst } };
  return explain(await observe({ processes: systemProcesses }, request, options));
}

async function answer(
  question: TraceQuestion,
  options: { readonly signal: AbortSignal },
  findEnds: (question: TraceQuestion) => Promise<TracedEnds>,
): ReturnType<Tracer> {
  const { proto: kind, port = 0 } = question;
  try {
    const ends = await findEnds(question);
    const trace = await runTrace(ends, { kind, port, packetBytes: DEFAULT_BYTES }, options);
    return { kind: "traced", trace: traceToJson(trace) };
  } catch (error) {
    if (error instanceof CommandError || error instanceof LabError)
      return { kind: "absent", why: error.message };
    throw error;
  }
}
