// SPDX-License-Identifier: Apache-2.0
import type { NodeCheck } from "../agent/answers.ts";

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
