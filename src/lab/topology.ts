// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import type { z } from "zod";
import type { FelixConfiguration } from "../model/felix-configuration.ts";
import type { IPPool, IPPoolSpec } from "../model/ip-pool.ts";
import {
  API_VERSION,
  type AnyResource,
  type Issue,
  type Kind,
  type Parsed,
  type Resources,
  formatIssues,
  isKind,
  parseResource,
  parseWith,
} from "../model/resource.ts";
import { cidrFamily } from "../net/cidr.ts";
import { LabError } from "./error.ts";
import { topologyIssues } from "./topology-issues.ts";
import {
  type Encapsulation,
  type RouteSource,
  type Setting,
  type Topology,
  topologySchema,
} from "./topology-schema.ts";

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
    // Most commands have no topology to read, and the parser is a sixth of what they load.
    const { parse } = await import("yaml");
    document = parse(await readFile(path, "utf8"));
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

/** All that have a network namespace of their own in the underlay. */
export function machinesOf({
  underlay,
  hosts,
  etcd,
  machines,
}: Topology): readonly { readonly name: string }[] {
  return [...underlay.routers, ...machines, ...etcd, ...hosts];
}

/** Checks a topology that was read from YAML or JSON. An unknown field is an issue. */
export function parseTopology(value: unknown): Parsed<Topology> {
  const parsed = parseWith<Document>(topologySchema, value);
  if (parsed.kind === "invalid") return parsed;
  const pools = combine(parsed.value.pools.map(parsePool));
  if (pools.kind === "invalid") return pools;
  const settings = combine(parseSettings(parsed.value));
  if (settings.kind === "invalid") return settings;
  const resources = combine(parsed.value.resources.map(parseAny));
  if (resources.kind === "invalid") return resources;
  const topology = {
    ...parsed.value,
    pools: pools.value,
    settings: settings.value,
    resources: resources.value,
  };
  const issues = topologyIssues(topology);
  return issues.length > 0 ? { kind: "invalid", issues } : { kind: "ok", value: topology };
}

type Document = z.output<typeof topologySchema>;

/** Every value, or every fault of those that are none. */
function combine<T>(parsed: readonly Parsed<T>[]): Parsed<readonly T[]> {
  const issues = parsed.flatMap((one) => (one.kind === "invalid" ? one.issues : []));
  if (issues.length > 0) return { kind: "invalid", issues };
  return { kind: "ok", value: parsed.flatMap((one) => (one.kind === "ok" ? [one.value] : [])) };
}

function parsePool(pool: Readonly<Record<string, unknown>>, index: number): Parsed<IPPool> {
  const { name, ...spec } = pool;
  return parseAt("IPPool", name, spec, `pools[${index}]`);
}

function parseAny(resource: Document["resources"][number], index: number): Parsed<AnyResource> {
  const { kind } = resource;
  const path = `resources[${index}]`;
  if (!isKind(kind))
    return {
      kind: "invalid",
      issues: [{ code: "invalid-value", path: `${path}.kind`, message: `there is no kind "${kind}"` }],
    };
  const parsed: Parsed<AnyResource> = parseResource(kind, { apiVersion: API_VERSION, ...resource });
  if (parsed.kind === "ok") return parsed;
  return {
    kind: "invalid",
    issues: parsed.issues.map((issue) => ({ ...issue, path: `${path}.${issue.path}` })),
  };
}

/** The settings that the topology names, and the one that says who writes the routes. */
function parseSettings({ settings, routeSource }: Document): readonly Parsed<Setting>[] {
  const { BGPConfiguration = {}, FelixConfiguration = {}, IPAMConfig = {} } = settings;
  const felix = parseAt("FelixConfiguration", "default", FelixConfiguration, "settings.FelixConfiguration");
  return [
    parseAt("BGPConfiguration", "default", BGPConfiguration, "settings.BGPConfiguration"),
    parseAt("IPAMConfig", "default", IPAMConfig, "settings.IPAMConfig"),
    felix.kind === "ok" ? withRouteSource(felix.value, FelixConfiguration, routeSource) : felix,
  ];
}

/** `routeSource` is the topology's own word for `programClusterRoutes`; both at once could disagree. */
function withRouteSource(
  felix: FelixConfiguration,
  written: unknown,
  routeSource: RouteSource,
): Parsed<FelixConfiguration> {
  if (typeof written === "object" && written !== null && "programClusterRoutes" in written) {
    const path = "settings.FelixConfiguration.programClusterRoutes";
    return { kind: "invalid", issues: [{ code: "conflict", path, message: "say it by routeSource" }] };
  }
  return { kind: "ok", value: setRouteSource(felix, routeSource) };
}

/** The resource with the source of routes that is asked for. */
export function setRouteSource(felix: FelixConfiguration, routeSource: RouteSource): FelixConfiguration {
  const programClusterRoutes = routeSource === "datastore" ? "Enabled" : "Disabled";
  return { ...felix, spec: { ...felix.spec, programClusterRoutes } };
}

const MODES: Readonly<Record<Encapsulation, Pick<IPPoolSpec, "ipipMode" | "vxlanMode">>> = {
  none: { ipipMode: "Never", vxlanMode: "Never" },
  ipip: { ipipMode: "Always", vxlanMode: "Never" },
  "ipip-cross-subnet": { ipipMode: "CrossSubnet", vxlanMode: "Never" },
  vxlan: { ipipMode: "Never", vxlanMode: "Always" },
  "vxlan-cross-subnet": { ipipMode: "Never", vxlanMode: "CrossSubnet" },
};

/** The topology with pools of the encapsulation that is asked for; those of IPv6 keep theirs where that is IPIP, which carries IPv4 alone. */
export function setEncapsulation(topology: Topology, encapsulation: Encapsulation): Topology {
  const modes = MODES[encapsulation];
  const isFor = ({ cidr }: IPPoolSpec): boolean => cidrFamily(cidr) === 4 || modes.ipipMode === "Never";
  return {
    ...topology,
    pools: topology.pools.map((pool) =>
      isFor(pool.spec) ? { ...pool, spec: { ...pool.spec, ...modes } } : pool,
    ),
  };
}

/** Parses name and spec as a resource; issues have the paths that they have in the topology. */
function parseAt<K extends Kind>(kind: K, name: unknown, spec: unknown, path: string): Parsed<Resources[K]> {
  const parsed = parseResource(kind, { apiVersion: API_VERSION, kind, metadata: { name }, spec });
  if (parsed.kind === "ok") return parsed;
  const relocate = (issue: Issue): Issue => ({
    ...issue,
    path: `${path}.${issue.path.replace(/^(spec|metadata)\./, "")}`,
  });
  return { kind: "invalid", issues: parsed.issues.map(relocate) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
