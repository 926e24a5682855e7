// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import type { IPPool } from "../model/ip-pool.ts";
import type { AnyResource, Resources } from "../model/resource.ts";
import { type Output, cidrField, ipv4Field, ipv6Field } from "../model/schema.ts";

/** A name of a host or container: part of a network namespace's name, so short, lower case and without dots. */
const NAME = /^[a-z]([a-z0-9-]*[a-z0-9])?$/;
/** A host's or router's name with a port number is an interface of the underlay (`IFNAMSIZ`). */
const MAX_NODE_NAME = 12;
const MAX_CONTAINER_NAME = 32;

function nameField(maxLength: number): z.ZodString {
  return z
    .string()
    .max(maxLength, `want at most ${maxLength} characters`)
    .regex(NAME, "want a lower-case letter, then letters, digits and inner hyphens");
}

export const nodeNameField = nameField(MAX_NODE_NAME);
export const containerNameField = nameField(MAX_CONTAINER_NAME);

const segment = z.strictObject({
  name: nodeNameField,
  /** The hosts' own network; its hosts reach each other without a router. */
  cidr: cidrField,
  /** Its network in IPv6. @default none */
  ipv6Cidr: cidrField.exactOptional(),
});

/** A BGP speaker that is not BIRD, with a configuration in its own language; what it learns goes to the router's kernel. */
const speaker = z.strictObject({ kind: z.enum(["frr", "gobgp"]), config: z.string() });

const router = z.strictObject({
  name: nodeNameField,
  /** One address in each segment that it joins. */
  addresses: z.array(ipv4Field).min(1),
  /** Likewise of IPv6, in segments that it joins. */
  ipv6Addresses: z.array(ipv6Field).default([]),
  /** @default it has no routes but those to the segments */
  speaker: speaker.exactOptional(),
});

const route = z.strictObject({ to: cidrField, via: ipv4Field });

const host = z.strictObject({
  name: nodeNameField,
  address: ipv4Field,
  /** In the same segment. @default none */
  ipv6Address: ipv6Field.exactOptional(),
  /** @default the segment that holds the address */
  segment: z.string().exactOptional(),
  /** On top of those to the other segments, which every host has. */
  routes: z.array(route).default([]),
});

/** Knows nothing of containers. */
const machine = z.strictObject({
  name: nodeNameField,
  address: ipv4Field,
  /** On top of those to the other segments, which every machine has. */
  routes: z.array(route).default([]),
});

const etcdMember = z.strictObject({ name: nodeNameField, address: ipv4Field });

const container = z.strictObject({ name: containerNameField, host: z.string() });

export const routeSourceField = z.enum(["bird", "datastore"]);
/** Who writes the routes to other hosts' containers. */
export type RouteSource = z.output<typeof routeSourceField>;

export const encapsulationField = z.enum([
  "none",
  "ipip",
  "ipip-cross-subnet",
  "vxlan",
  "vxlan-cross-subnet",
]);
/** How packets between hosts travel: a pool's two modes in one word. */
export type Encapsulation = z.output<typeof encapsulationField>;

export const topologySchema = z.strictObject({
  underlay: z.strictObject({ segments: z.array(segment).min(1), routers: z.array(router).default([]) }),
  hosts: z.array(host).min(1),
  /** Members of the etcd cluster that is the datastore, each on a machine of its own. @default the first host's agent holds the datastore */
  etcd: z.array(etcdMember).default([]),
  /** Machines outside the cluster. */
  machines: z.array(machine).default([]),
  containers: z.array(container).default([]),
  /** Name and spec of an IPPool in one; the resource's own schema reads them. */
  pools: z.array(z.looseObject({ name: z.string() })).min(1),
  routeSource: routeSourceField.default("bird"),
  /** Specs of the cluster's settings, each read by the schema of its kind. */
  settings: z
    .strictObject({
      BGPConfiguration: z.unknown().optional(),
      FelixConfiguration: z.unknown().optional(),
      IPAMConfig: z.unknown().optional(),
    })
    .prefault({}),
  /** Further resources, whole; the schema of its kind reads each. */
  resources: z.array(z.looseObject({ kind: z.string() })).default([]),
});

/** A resource named `default` that holds for the whole cluster. */
export type Setting = Resources["BGPConfiguration" | "FelixConfiguration" | "IPAMConfig"];

/** A network to build: its values are right each by itself and fit together. */
export type Topology = Omit<Output<typeof topologySchema>, "pools" | "settings" | "resources"> & {
  readonly pools: readonly IPPool[];
  readonly settings: readonly Setting[];
  readonly resources: readonly AnyResource[];
};
export type Segment = Topology["underlay"]["segments"][number];
export type Router = Topology["underlay"]["routers"][number];
export type EtcdMember = Topology["etcd"][number];
export type Machine = Topology["machines"][number];
export type Host = Topology["hosts"][number];
export type Container = Topology["containers"][number];
