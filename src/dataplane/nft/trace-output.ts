// SPDX-License-Identifier: Apache-2.0
// What `nft monitor trace` prints (nft(8), "Monitor"): a line for each rule and each policy that a traced packet comes to. Others may have packets of theirs
// traced at the same time.

import { AROUND } from "./trace-table.ts";

/** Where a packet ended. */
export interface NftDrop {
  /** `<family> <name>`. */
  readonly table: string;
  readonly chain: string;
  /** As nft writes it; null where it was the chain's policy. */
  readonly rule: string | null;
  /** Whether it is the packet around the one that is looked for, which a tunnel has put into it. */
  readonly isAround: boolean;
}

const LINE = /^trace id ([0-9a-f]+) (\w+ \S+) \S+ (rule )?/;
const AROUND_LINE = new RegExp(` comment "${AROUND}" \\(verdict continue\\)\\s*$`);
const RULE = /^trace id [0-9a-f]+ (\w+ \S+) (\S+) rule (.*) \(verdict drop\)\s*$/;
const POLICY = /^trace id [0-9a-f]+ (\w+ \S+) (\S+) policy drop\s*$/;

/** The first drop that the output tells of, of a packet that `tracer` (`<family> <name>`) has had traced; `undefined` where there is none. */
export function findDrop(output: string, tracer: string): NftDrop | undefined {
  /** By their numbers: whether it is around another. */
  const traced = new Map<string, boolean>();
  for (const line of output.split("\n")) {
    const [, id = "", by, ruled] = LINE.exec(line) ?? [];
    if (by === tracer && ruled !== undefined) traced.set(id, AROUND_LINE.test(line));
    const [, table, chain, rule = null] = RULE.exec(line) ?? POLICY.exec(line) ?? [];
    const isAround = traced.get(id);
    if (table !== undefined && chain !== undefined && isAround !== undefined)
      return { table, chain, rule, isAround };
  }
  return undefined;
}
