// SPDX-License-Identifier: Apache-2.0
import type { DetectedHere } from "../../agent/address/detect-here.ts";
import type { ProcessRunner } from "../../system/process.ts";

/** What a node may be wanted for; without any of them it still runs containers, with routes from the datastore. */
export const FEATURES = ["bgp", "ipip", "vxlan", "wireguard"] as const;
export type Feature = (typeof FEATURES)[number];

/** What checks look at. */
export interface SystemTools {
  readonly processes: ProcessRunner;
  /** As `uname -r` says it. */
  readonly kernelRelease: string;
  readonly userId: number;
  readonly exists: (path: string) => boolean;
  readonly isWritable: (path: string) => boolean;
  /** Finds the address that an agent would take which is told none. */
  readonly detectAddress: (wait: { readonly signal: AbortSignal }) => Promise<DetectedHere>;
}

/** What was found, and what to do where that is not enough. */
export type Finding =
  | { readonly ok: true; readonly found: string }
  | { readonly ok: false; readonly found: string; readonly remedy: string };

export interface Check {
  readonly name: string;
  /** What cannot do without it; `everything` is also the node itself. Nothing at all, where a node can be told otherwise. */
  readonly neededFor: readonly Feature[] | "everything";
  readonly run: (tools: SystemTools, wait: { readonly signal: AbortSignal }) => Promise<Finding>;
}

export type CheckResult = Finding & {
  readonly name: string;
  readonly neededFor: Check["neededFor"];
  /** Whether the node cannot be what it is wanted for without it. */
  readonly needed: boolean;
};

export interface SystemReport {
  readonly ok: boolean;
  readonly checks: readonly CheckResult[];
}

/** Runs the checks one after the other: they use the same kernel. */
export async function checkSystem(
  checks: readonly Check[],
  features: readonly Feature[],
  tools: SystemTools,
  wait: { readonly signal: AbortSignal },
): Promise<SystemReport> {
  const results: CheckResult[] = [];
  for (const { name, neededFor, run } of checks) {
    const needed = neededFor === "everything" || neededFor.some((feature) => features.includes(feature));
    results.push({ name, neededFor, needed, ...(await run(tools, wait)) });
  }
  return { ok: results.every(({ ok, needed }) => ok || !needed), checks: results };
}

/** A line for each check, with what to do about it where something is to be done. */
export function renderSystemReport({ ok, checks }: SystemReport): string {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap((check) => {
    const state = check.ok ? "ok" : check.needed ? "missing" : "without";
    const line = `  ${state.padEnd(7)}  ${check.name.padEnd(width)}  ${check.found}`;
    return check.ok ? [line] : [line, `           ${reason(check)}${check.remedy}`];
  });
  return [ok ? "The node has what it needs" : "The node lacks something that it needs", ...lines].join("\n");
}

function reason({ neededFor }: CheckResult): string {
  return neededFor === "everything" || neededFor.length === 0 ? "" : `for ${neededFor.join(", ")}: `;
}
