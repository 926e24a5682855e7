// SPDX-License-Identifier: Apache-2.0
import type { NodeCheck } from "../../agent/answers.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { Known } from "../observation.ts";

/** Whether packets of full size get to the other nodes. */
export function judgePaths(known: Known<NodeCheck>): readonly Check[] {
  const all = subject("path", "all nodes");
  if (known.kind === "unknown") return [all.skipped(known.reason)];
  const { paths } = known.value;
  const amiss = paths.flatMap((path): readonly Check[] => {
    const checked = subject("path", `${path.node} via ${path.via} (${path.address})`);
    switch (path.verdict) {
      case "ok":
        return [];
      case "tooSmall":
        return [
          checked.fault(
            `packets of ${path.found} octets pass, and ${path.bytes} may be sent: what is longer is lost`,
            path.remedy,
          ),
        ];
      case "unreachable":
        return [
          checked.fault(
            path.reason,
            "see whether that machine is up, and whether a firewall on the way drops ICMP or the tunnel's packets",
          ),
        ];
    }
  });
  return orWell(amiss, all.ok(`${paths.length} ways take what may be sent`));
}
