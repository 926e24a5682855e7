// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { ForwardChain } from "../observation.ts";
import { shellWord } from "../shell.ts";
import { readLegacyChains } from "./legacy-firewall.ts";
import type { RunThere } from "./run-there.ts";

const chain = z.looseObject({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  hook: z.string().exactOptional(),
  policy: z.string().exactOptional(),
});
const rule = z.looseObject({ chain: z.string(), expr: z.array(z.record(z.string(), z.unknown())) });
/** libnftables-json(5) */
const listing = z.object({
  nftables: z.array(z.looseObject({ chain: chain.exactOptional(), rule: rule.exactOptional() })),
});
type Chain = z.output<typeof chain>;
type Expression = z.output<typeof rule>["expr"][number];

/** Tables that the agent keeps (ARCHITECTURE.md). */
const OWN_TABLES: readonly string[] = ["margay", "margay-source", "margay-nat"];
/** `inet` is both IP families. */
const FAMILIES: readonly string[] = ["ip", "ip6", "inet"];
/** Packets from containers, and those to them. */
const SIDES = ["iifname", "oifname"] as const;

/**
 * Others' chains of the forward hook; those that iptables has made by way of nftables are among them. Rejects with `ProcessError`, or an error that says what
 * nft says.
 */
export async function readForwardChains(run: RunThere): Promise<readonly ForwardChain[]> {
  const list = async (...words: readonly string[]): Promise<z.output<typeof listing>["nftables"]> => {
    const { code, stdout, stderr } = await run("nft", ["-j", "list", ...words]);
    if (code !== 0) throw new Error(`Cannot list nftables: ${stderr.trim()}`);
    return listing.parse(JSON.parse(stdout)).nftables;
  };
  const chains = (await list("chains")).flatMap((entry) => entry.chain ?? []).filter(isForward);
  const found: ForwardChain[] = [];
  // The rules of these alone: others' tables may hold tens of thousands.
  for (const one of chains) {
    const entries = await list("chain", one.family, one.table, one.name);
    found.push(
      judgeChain(
        one,
        entries.flatMap(({ rule }) => (rule === undefined ? [] : [rule.expr])),
      ),
    );
  }
  return [...found, ...(await readLegacyChains(run))];
}

function isForward({ family, table, hook }: Chain): boolean {
  return hook === "forward" && FAMILIES.includes(family) && !OWN_TABLES.includes(table);
}

/** Rules are looked at up to the first that drops all that comes to it. */
export function judgeChain(
  { family, table, name, policy }: Pick<Chain, "family" | "table" | "name" | "policy">,
  rules: readonly (readonly Expression[])[],
): ForwardChain {
  const end = rules.findIndex(dropsAll);
  const counted = end === -1 ? rules : rules.slice(0, end);
  return {
    name: `${family} ${table} ${name}`,
    dropsRest: end !== -1 || policy === "drop",
    acceptsContainers: SIDES.every((side) => counted.some((expressions) => acceptsAllOf(expressions, side))),
    mayAccept: counted.some((expressions) =>
      expressions.some((one) => ["accept", "jump", "goto", "vmap", "xt"].some((key) => key in one)),
    ),
    letPass: SIDES.map(
      (side) => `nft insert rule ${[family, table, name].map(shellWord).join(" ")} ${side} '"cali*"' accept`,
    ),
  };
}

function dropsAll(expressions: readonly Expression[]): boolean {
  const [only, ...rest] = expressions.filter(isCondition);
  return only !== undefined && rest.length === 0 && ("drop" in only || "reject" in only);
}

/** `iifname "cali*" accept` */
function acceptsAllOf(expressions: readonly Expression[], side: string): boolean {
  const [match, verdict, ...rest] = expressions.filter(isCondition);
  if (match === undefined || verdict === undefined || rest.length > 0 || !("accept" in verdict)) return false;
  const isRight = z.object({
    op: z.literal("=="),
    left: z.object({ meta: z.object({ key: z.literal(side) }) }),
    right: z.literal("cali*"),
  });
  return isRight.safeParse(match["match"]).success;
}

/** What only counts, or says something, lets every packet on. */
function isCondition(one: Expression): boolean {
  return !("counter" in one) && !("log" in one);
}
