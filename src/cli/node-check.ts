// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";

const path = { node: z.string(), via: z.string(), address: z.string(), bytes: z.int() };

/** What an agent says of the ways to the other nodes. */
export const nodeCheck = z.looseObject({
  nodeName: z.string(),
  ok: z.boolean(),
  paths: z.array(
    z.discriminatedUnion("verdict", [
      z.looseObject({ ...path, verdict: z.literal("ok") }),
      z.looseObject({ ...path, verdict: z.literal("tooSmall"), found: z.int(), remedy: z.string() }),
      z.looseObject({ ...path, verdict: z.literal("unreachable"), reason: z.string() }),
    ]),
  ),
});
export type NodeCheck = Readonly<z.output<typeof nodeCheck>>;

/** A line for each way, with what to do about it where something is to be done. */
export function renderNodeCheck({ nodeName, ok, paths }: NodeCheck): string {
  const bad = paths.filter(({ verdict }) => verdict !== "ok").length;
  const summary = ok ? "every one takes what may be sent" : `${bad} amiss`;
  return [`Ways from ${nodeName}: ${summary}`, ...paths.flatMap(lines)].join("\n");
}

function lines(path: NodeCheck["paths"][number]): readonly string[] {
  const head = `  ${path.node}  ${path.via}  ${path.address}`;
  switch (path.verdict) {
    case "ok":
      return [`${head}  ${path.bytes} octets pass`];
    case "tooSmall":
      return [`${head}  too small: ${path.found} of ${path.bytes} octets pass`, `    ${path.remedy}`];
    case "unreachable":
      return [`${head}  unreachable: ${path.reason}`];
  }
}
