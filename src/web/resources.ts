// SPDX-License-Identifier: Apache-2.0
import type { AnswerName } from "./sources.ts";

export interface Resource {
  readonly path: string;
  readonly summary: string;
}

/** Every answer that the API gives in JSON, and where. */
export const RESOURCES: Readonly<Record<AnswerName, Resource>> = {
  health: { path: "/healthz", summary: "Whether the agent works, part by part" },
  readiness: { path: "/readyz", summary: "Whether the node does its work, part by part, and why not" },
  status: { path: "/api/v1/status", summary: "The node as a whole" },
  endpoints: { path: "/api/v1/endpoints", summary: "The node's containers" },
  routes: { path: "/api/v1/routes", summary: "The node's routes of both families, and who has brought each" },
  neighbours: { path: "/api/v1/neighbours", summary: "The neighbours on the node's own interfaces" },
  bgp: { path: "/api/v1/bgp", summary: "This node's BIRD, and its sessions" },
  ipam: { path: "/api/v1/ipam", summary: "Pools and blocks of addresses, and how much of them is in use" },
};

/** In Prometheus' text format, and so none of the resources. */
export const METRICS_PATH = "/metrics";
/** What describes the others. */
export const OPENAPI_PATH = "/openapi.json";

/** Of server-sent events: it has no end. */
export const EVENTS_PATH = "/api/v1/events";

export const RESOURCE_NAMES = Object.keys(RESOURCES) as readonly AnswerName[];
