// SPDX-License-Identifier: Apache-2.0
// A trace as text for a terminal, and as JSON.
import type { Direction } from "./view.ts";
import type { Evidence, Step, Trace, TraceEnd } from "./trace.ts";
import { describeFact, describeProbe, describeTime } from "./words.ts";

const TITLES: Readonly<Record<Direction, string>> = { there: "The way there", back: "The way back" };
const MARKS: Readonly<Record<Evidence, string>> = { captured: "seen", asked: "asked", computed: "computed" };

/** Steps numbered in their order, each with its place, its time where it was seen, and how it is known. */
export function renderTrace(trace: Trace): string {
  const { source, destination, probe, steps, fault, lost, aligned = [] } = trace;
  const width = Math.max(...steps.map(({ station }) => station.length), 0);
  const ways = (["there", "back"] as const).flatMap((direction) => {
    const lines = steps.flatMap((step, index) =>
      step.direction === direction ? [line(step, index + 1, width)] : [],
    );
    return lines.length === 0 ? [] : ["", TITLES[direction], ...lines];
  });
  const title = `${nameOf(source)} -> ${nameOf(destination)}: ${describeProbe(probe)}`;
  const before = lost === 0 ? [] : [`${lost} probe${lost === 1 ? "" : "s"} before this one had no answer.`];
  const clocks = aligned.map(
    (node) => `Times at ${node} are by its own clock, set so that the packet came there after it had left.`,
  );
  const verdict =
    fault === null
      ? ["", "The path works."]
      : [
          "",
          `It ends at ${fault.station}${fault.ifName === null ? "" : `, ${fault.ifName}`}, on the way ${fault.direction}.`,
          `  Cause:  ${fault.text}`,
          `  Remedy: ${fault.remedy}`,
        ];
  return [title, ...before, ...clocks, ...ways, ...verdict].join("\n");
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
