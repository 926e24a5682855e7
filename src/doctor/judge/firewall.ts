// SPDX-License-Identifier: Apache-2.0
import { type Check, orWell, subject } from "../check.ts";
import type { ForwardChain, Known } from "../observation.ts";

/** Others' chains that drop what they do not know. */
export function judgeFirewall(known: Known<readonly ForwardChain[]>): readonly Check[] {
  const all = subject("firewall", "chains of the forward hook");
  if (known.kind === "unknown") return [all.skipped(known.reason)];
  const amiss = known.value
    .filter(({ dropsRest, acceptsContainers }) => dropsRest && !acceptsContainers)
    .map(({ name, mayAccept, letPass }) => {
      const checked = subject("firewall", name);
      const advice =
        "have it accept what comes from containers and goes to them, for good in what makes this chain";
      return mayAccept
        ? checked.warning(
            "it drops what its rules do not accept; whether they accept containers' packets cannot be told",
            advice,
            ...letPass,
          )
        : checked.fault(
            "it drops every packet that the node forwards, containers' among them",
            advice,
            ...letPass,
          );
    });
  return orWell(amiss, all.ok(known.value.length === 0 ? "none but Margay's own" : "none drops all"));
}
