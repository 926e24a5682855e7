// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "./collaborators.ts";
import { CniError } from "./error.ts";
import type { StatusRequest } from "./request.ts";

/** Fails where ADD would (code 50), or where containers that run already may not reach everything either (code 51; specification section 4, "STATUS"). */
export function requireService({ wish }: StatusRequest, node: NodeView): void {
  if (node.notReady !== undefined) throw new CniError("notAvailable", node.notReady);
  if (node.datastoreTrouble !== undefined)
    throw new CniError("notAvailable", `Cannot attach containers: ${node.datastoreTrouble}`);
  try {
    node.pools(wish);
    node.mtu();
  } catch (cause) {
    if (!(cause instanceof CniError)) throw cause;
    throw new CniError("notAvailable", cause.message, { cause });
  }
  const faults = node.faults();
  if (faults.length > 0)
    throw new CniError("limitedConnectivity", `Node "${node.nodeName}" is not well: ${faults.join("; ")}`);
}
