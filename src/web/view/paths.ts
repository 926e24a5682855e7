// SPDX-License-Identifier: Apache-2.0
import type { NodeDetail } from "./source.ts";

export const VIEW_PATH = "/api/v1/view";
export const VIEW_EVENTS_PATH = "/api/v1/view/events";
export const TRACE_PATH = "/api/v1/trace";
/** Where details of a node are. */
export function detailPath(node: string, detail: NodeDetail): string {
  return `/api/v1/nodes/${node}/${detail}`;
}
