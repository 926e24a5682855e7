// SPDX-License-Identifier: Apache-2.0
// A trace as text for a terminal, and as JSON.
import type { Direction } from "./view.ts";
import type { Evidence, Fault, Step, Trace, TraceEnd } from "./trace.ts";
import { describeFact, describeProbe, describeTime } from "./words.ts";

export const TITLES: Readonly<Record<Direction, string>> = { there: "The way there", back: "The way back" };
/** How a step is known, in a word. */
export const MARKS: Readonly<Record<Evidence, string>> = {
  captured: "seen",
  asked: "asked",
  computed: "computed",
};

/** Steps numbered in their order, each with its place, its time where it was seen, and how it is known. */
export function renderTrace(trace: Trace): string {
  const { steps, fault } = trace;
  const width = Math.max(...steps.map(({ station }) => station.length), 0);
  const ways = (["there", "back"] as const).flatMap((direction) => {
    const lines = steps.flatMap((step, index) =>
      step.direction === direction ? [line(step, index + 1, width)] : [],
    );
    return lines.length === 0 ? [] : ["", TITLES[direction], ...lines];
  });
  const verdict =
    fault === null
      ? ["", WORKS]
      : ["", `${describeEnd(fault)}.`, `  Cause:  ${fault.text}`, `  Remedy: ${fault.remedy}`];
  return [...describeTrace(trace), ...ways, ...verdict].join("\n");
}

export const WORKS = "The path works.";

/** What was sent from where to where, how many probes were before it, and whose clocks were set: a line or more. */
export function describeTrace({
  source,
  destination,
  probe,
  lost,
  aligned = [],
}: Pick<Trace, "source" | "destination" | "probe" | "lost" | "aligned">): readonly string[] {
  const title = `${nameOf(source)} -> ${nameOf(destination)}: ${describeProbe(probe)}`;
  const before = lost === 0 ? [] : [`${lost} probe${lost === 1 ? "" : "s"} before this one had no answer.`];
  const clocks = aligned.map(
    (node) => `Times at ${node} are by its own clock, set so that the packet came there after it had left.`,
  );
  return [title, ...before, ...clocks];
}

/** Where a path broke, a sentence without its full stop. */
export function describeEnd({ station, ifName, direction }: Fault): string {
  return `It ends at ${station}${ifName === null ? "" : `, ${ifName}`}, on the way ${direction}`;
}

/** The value itself, each step with its words and number. */
export function traceToJson({ steps, ...trace }: Trace): object {
  return {
    ...trace,
    steps: steps.map((step, index) => ({ number: index + 1, ...step, text: describeFact(step.fact) })),
  };
}

function line({ station, fact, evidence }: Step, number: number, width: number): string {
  const columns = [
    String(number).padStart(3),
    station.padEnd(width),
    MARKS[evidence].padEnd(8),
    describeTime(fact).padStart(9),
    describeFact(fact),
  ];
  return columns.join("  ");
}

function nameOf({ name, address, node }: TraceEnd): string {
  const details = [address, ...(node === null ? [] : [`on ${node}`])].join(" ");
  return name === null || name === address ? details : `${name} (${details})`;
}
