// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Finding } from "../../ipam/check.ts";
import { cidrField, ipField } from "../../model/schema.ts";
import { CommandError } from "../exit.ts";

/** What `ipam check` found. */
export interface Report {
  readonly version: 1;
  /** The revision of the datastore that was looked at. */
  readonly revision: number;
  readonly blocks: number;
  readonly inUse: number;
  readonly findings: readonly Finding[];
}

export type Leak = Finding & { readonly kind: "leaked" };

const leak = z.strictObject({
  kind: z.literal("leaked"),
  ip: ipField,
  block: cidrField,
  handleId: z.string().optional(),
  node: z.string().optional(),
  sequence: z.string().regex(/^\d+$/),
});
const schema = z.looseObject({
  version: z.literal(1),
  findings: z.array(z.looseObject({ kind: z.string() })),
});

/** The leaked addresses of a report; throws {@link CommandError} for what is none. */
export async function readLeaks(file: string): Promise<readonly Leak[]> {
  try {
    const { findings } = schema.parse(JSON.parse(await readFile(file, "utf8")));
    return findings
      .filter(({ kind }) => kind === "leaked")
      .map((finding) => {
        const { handleId, node, ...rest } = leak.parse(finding);
        return { ...rest, handleId, node };
      });
  } catch (cause) {
    throw new CommandError("invalid", `Cannot use "${file}": it is no report of "margay ipam check"`, {
      cause,
    });
  }
}
