// SPDX-License-Identifier: Apache-2.0
import type { Contribution } from "./contributions.ts";
import type { EndpointFacts } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { type WantedSource, sourceKey } from "./wanted-tables.ts";

/** Stands on every node from its first moment: what comes from the end of an unknown container is from nobody. */
export function ownSourceCheck(): Contributed {
  return { source: [entry({ kind: "table" })] };
}

/** Each address, by the interface that it may come from. */
export function endpointSources({ ifName, ips }: EndpointFacts): readonly Contribution<WantedSource>[] {
  return ips.map((ip) => entry({ kind: "address", ifName, ip }));
}

function entry(value: WantedSource): Contribution<WantedSource> {
  return { key: sourceKey(value), value };
}
