// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import type { IPPool } from "../model/ip-pool.ts";
import {
  API_VERSION,
  type Issue,
  type Parsed,
  formatIssues,
  parseResource,
  parseWith,
} from "../model/resource.ts";
import { LabError } from "./error.ts";
import { topologyIssues } from "./topology-issues.ts";
import { type Topology, topologySchema } from "./topology-schema.ts";

/** The network of two hosts and four containers that a lab is unless told otherwise. */
export const REFERENCE_TOPOLOGY = new URL("topologies/reference.yaml", import.meta.url);

/** A topology, and the document it was read from, which says the same after being written and read as JSON. */
export interface TopologyFile {
  readonly document: unknown;
  readonly topology: Topology;
}

/** Reads a topology in YAML (or JSON, which is YAML); throws {@link LabError} naming each fault. */
export async function readTopology(path: string | URL): Promise<TopologyFile> {
  const subject = `topology "${path instanceof URL ? path.pathname : path}"`;
  let document: unknown;
  try {
    document = parseYaml(await readFile(path, "utf8"));
  } catch (cause) {
    throw new LabError("invalid", `Cannot read ${subject}: ${messageOf(cause)}`, { cause });
  }
  return { document, topology: requireTopology(document, subject) };
}

/** The topology that a document describes; throws {@link LabError} naming each fault. */
export function requireTopology(document: unknown, subject: string): Topology {
  const parsed = parseTopology(document);
  if (parsed.kind === "ok") return parsed.value;
  throw new LabError("invalid", `Cannot use ${subject}: ${formatIssues(parsed.issues)}`);
}

/** Checks a topology that was read from YAML or JSON. An unknown field is an issue. */
export function parseTopology(value: unknown): Parsed<Topology> {
  const parsed = parseWith<z.output<typeof topologySchema>>(topologySchema, value);
  if (parsed.kind === "invalid") return parsed;
  const pools = parsed.value.pools.map(parsePool);
  const faults = pools.flatMap((pool) => (pool.kind === "invalid" ? pool.issues : []));
  if (faults.length > 0) return { kind: "invalid", issues: faults };
  const topology = {
    ...parsed.value,
    pools: pools.flatMap((pool) => (pool.kind === "ok" ? [pool.value] : [])),
  };
  const issues = topologyIssues(topology);
  return issues.length > 0 ? { kind: "invalid", issues } : { kind: "ok", value: topology };
}

function parsePool(pool: Readonly<Record<string, unknown>>, index: number): Parsed<IPPool> {
  const { name, ...spec } = pool;
  const resource = { apiVersion: API_VERSION, kind: "IPPool", metadata: { name }, spec };
  const parsed = parseResource("IPPool", resource);
  if (parsed.kind === "ok") return parsed;
  return { kind: "invalid", issues: parsed.issues.map((issue) => atPool(issue, index)) };
}

/** The issue with the path that it has in the topology. */
function atPool(issue: Issue, index: number): Issue {
  return { ...issue, path: `pools[${index}].${issue.path.replace(/^(spec|metadata)\./, "")}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
