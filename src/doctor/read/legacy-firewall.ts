// SPDX-License-Identifier: Apache-2.0
import type { ForwardChain } from "../observation.ts";
import type { RunThere } from "./run-there.ts";

const PROGRAMS = ["iptables-legacy", "ip6tables-legacy"] as const;
type Program = (typeof PROGRAMS)[number];

/** iptables from before nftables, which nft does not show. `…-save` looks only at tables that are there, and loads no module. */
export async function readLegacyChains(run: RunThere): Promise<readonly ForwardChain[]> {
  const found: ForwardChain[] = [];
  for (const program of PROGRAMS) {
    const saved = await run(`${program}-save`, []).catch(() => undefined);
    // Where there is no such program, nobody has made its rules.
    const chain = saved?.code === 0 ? parseForwardChain(program, saved.stdout) : undefined;
    if (chain !== undefined) found.push(chain);
  }
  return found;
}

/** The chain FORWARD of the table `filter`, in the format of iptables-save(8). */
export function parseForwardChain(program: Program, text: string): ForwardChain | undefined {
  const [, table = ""] = /^\*filter\n([^]*?)^COMMIT$/m.exec(text) ?? [];
  const [, policy] = /^:FORWARD (\w+) /m.exec(table) ?? [];
  if (policy === undefined) return undefined;
  const rules = Array.from(table.matchAll(/^-A FORWARD (.*)$/gm), ([, rule = ""]) => rule);
  const end = rules.findIndex((rule) => /^-j (DROP|REJECT)\b/.test(rule));
  const counted = end === -1 ? rules : rules.slice(0, end);
  const sides = ["-i", "-o"].map((side) => `${side} cali+ -j ACCEPT`);
  return {
    name: `${program} filter FORWARD`,
    dropsRest: end !== -1 || policy === "DROP",
    acceptsContainers: sides.every((rule) => counted.includes(rule)),
    mayAccept: counted.some((rule) => /-[jg] (?!DROP\b|REJECT\b|LOG\b)/.test(rule)),
    letPass: sides.map((rule) => `${program} -I FORWARD ${rule}`),
  };
}
