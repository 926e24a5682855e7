// SPDX-License-Identifier: Apache-2.0
// What `nft monitor trace` prints (nft(8), "Monitor"): a line for each rule and each policy that a traced packet comes to. Others may have packets of theirs
// traced at the same time.

/** Where a packet ended. */
export interface NftDrop {
  /** `<family> <name>`. */
  readonly table: string;
  readonly chain: string;
  /** As nft writes it; null where it was the chain's policy. */
  readonly rule: string | null;
}

const LINE = /^trace id ([0-9a-f]+) (\w+ \S+) /;
const RULE = /^trace id [0-9a-f]+ (\w+ \S+) (\S+) rule (.*) \(verdict drop\)\s*$/;
const POLICY = /^trace id [0-9a-f]+ (\w+ \S+) (\S+) policy drop\s*$/;

/** The first drop that the output tells of, of a packet that `tracer` (`<family> <name>`) has had traced; `undefined` where there is none. */
export function findDrop(output: string, tracer: string): NftDrop | undefined {
  const traced = new Set<string>();
  for (const line of output.split("\n")) {
    const [, id = "", by] = LINE.exec(line) ?? [];
    if (by === tracer) traced.add(id);
    const [, table, chain, rule = null] = RULE.exec(line) ?? POLICY.exec(line) ?? [];
    if (table !== undefined && chain !== undefined && traced.has(id)) return { table, chain, rule };
  }
  return undefined;
}
