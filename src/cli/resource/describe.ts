// SPDX-License-Identifier: Apache-2.0
import type { ResourceId } from "../../model/keys.ts";

/** The resource as messages name it, on one line whatever its name holds: `IPPool "a"`, `WorkloadEndpoint "default/b"`. */
export function describeResource({ kind, name, namespace }: ResourceId): string {
  return `${kind} ${JSON.stringify(namespace === undefined ? name : `${namespace}/${name}`)}`;
}
