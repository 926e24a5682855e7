// SPDX-License-Identifier: Apache-2.0
// What the dashboard shows, as one document, and how it goes on.
import { z } from "zod";
import { SESSION_STATES } from "../../model/bgp-session.ts";
import type { Output } from "../../model/schema.ts";

const count = z.int().min(0);
const text = z.string();
const id = text.describe("of its collection; the same thing keeps it");
const ip = text.describe("an IPv4 or IPv6 address, in canonical text (RFC 5952)");
const cidr = text.describe("<address>/<length>");
const ifName = text.describe("the name of an interface; counters of it are under <machine or node>/<name>");
const reasons = z.array(text).describe("in words; none where nothing is amiss");

const segment = z.strictObject({ id, name: text, cidr });

const port = z.strictObject({
  segment: text.nullable().describe("the id of a segment; null where its address is in none"),
  interface: ifName.nullable().describe("null where this is not known here: of other nodes"),
  address: ip,
  isUp: z.boolean().nullable().describe("switched on, and with a carrier; null where this is not known here"),
});

const machine = z.strictObject({
  id,
  name: text,
  kind: z.enum(["host", "router", "datastore", "outside"]),
  ports: z.array(port),
});

const node = z.strictObject({
  id: id.describe("the node's name"),
  machine: text.nullable().describe("the id of the machine that it is"),
  addresses: z.array(ip),
  isOwn: z.boolean().describe("the agent that tells this is the node's own; in a lab every node's is asked"),
  isAnswering: z.boolean().nullable().describe("its agent; null for nodes that are not asked"),
  isReady: z.boolean().nullable().describe("null where this is not known"),
  version: text.nullable().describe("of its agent"),
  reasons: reasons.describe("why it is not ready, most basic cause first"),
  degraded: z.array(text).describe("what is amiss and leaves it ready"),
  routeSource: z
    .enum(["bird", "datastore"])
    .nullable()
    .describe("who tells the kernel the ways to other nodes; null where this is not known"),
  encapsulations: z
    .array(z.enum(["ipip", "vxlan", "vxlan6", "wireguard"]))
    .describe("the kinds of tunnels that it has an end of"),
  routesByOrigin: z
    .strictObject({ agent: count, bird: count, kernel: count, other: count })
    .nullable()
    .describe("how many routes it has, by who has brought them; null where this is not known"),
});

const container = z.strictObject({
  id: id.describe("<node>/<interface>"),
  name: text.describe("its name in the lab, or that of its pod, or its ID as the runtime has it"),
  node: text.describe("the id of a node"),
  interface: ifName.describe("the node's end of its link: what it receives, the container has sent"),
  addresses: z.array(ip),
  isReady: z
    .boolean()
    .nullable()
    .describe("everything of it is in the kernel; null where its node's agent does not answer"),
  missing: z.array(text).describe("what of it is not in the kernel as it should be"),
});

const session = z.strictObject({
  id,
  from: text.describe("the id of the node whose BIRD tells it"),
  to: text
    .nullable()
    .describe("the id of the node, or in a lab of the machine, at the other end; null where that is none"),
  with: text.nullable().describe("who is at the other end, in words; null where nobody knows"),
  address: ip.describe("of the other end"),
  family: z.union([z.literal(4), z.literal(6)]).describe("of that address"),
  state: z
    .enum(SESSION_STATES)
    .nullable()
    .describe("null where BIRD does not have it, or the agent does not answer"),
  isWanted: z.boolean().describe("the cluster asks for it"),
  sinceMs: z.number().nullable().describe("of its state; milliseconds since 1970"),
  imported: count.describe("routes taken from the peer"),
  exported: count.describe("routes given to the peer"),
  lastError: text.nullable().describe("in BIRD's words"),
});

const tunnel = z.strictObject({
  id,
  node: text.describe("the id of the node whose end it is"),
  kind: z.enum(["ipip", "vxlan", "vxlan6", "wireguard"]),
  interface: ifName.nullable().describe("null where none carries it: IPIP by programs"),
  address: ip.describe("of this end, inside the tunnel"),
  mtu: count.nullable().describe("octets"),
  isUp: z.boolean().nullable().describe("its interface; null where there is none that could be"),
  peers: z.array(text).describe("ids of the nodes that packets reach through it"),
});

const pool = z.strictObject({
  id: id.describe("the pool's name"),
  name: text,
  cidr,
  blockSize: count.describe("the length of its blocks' prefixes"),
  isDisabled: z.boolean(),
  ipipMode: text,
  vxlanMode: text,
  addresses: text.describe("how many it has, in decimal: of IPv6 more than a number holds"),
  used: count,
});

const block = z.strictObject({
  id: id.describe("the block's prefix"),
  pool: text.nullable().describe("the id of the pool that holds it; null where that is gone"),
  node: text.nullable().describe("the id of the node that it is affine to"),
  size: count.describe("addresses"),
  used: count,
  cooling: count.describe("given back, and not given out again yet"),
  free: count,
});

/** As the interface counts. */
const counters = z.strictObject({
  id: id.describe("<machine or node>/<interface>"),
  rxPackets: count,
  rxBytes: count,
  txPackets: count,
  txBytes: count,
});

/** Collections in which whatever has an id stands once; sorted by it. */
const COLLECTION_SCHEMAS = {
  segments: z.array(segment).describe("of the underlay"),
  machines: z.array(machine).describe("what the segments connect"),
  nodes: z.array(node),
  containers: z.array(container).describe("of a node: its own alone"),
  sessions: z.array(session).describe("of BGP, of a node: its own alone"),
  tunnels: z.array(tunnel).describe("ends of tunnels, of a node: its own alone"),
  pools: z.array(pool),
  blocks: z.array(block),
  counters: z
    .array(counters)
    .describe("of the interfaces that the other collections name; read each second while somebody follows"),
};

export const viewSchema = z.strictObject({
  scope: z.enum(["lab", "node"]),
  name: text.describe("of the lab, or of the node"),
  version: text.describe("of the program that tells this"),
  at: z.number().describe("when this was so; milliseconds since 1970"),
  ...COLLECTION_SCHEMAS,
});

export type View = Output<typeof viewSchema>;
export type Collection = keyof typeof COLLECTION_SCHEMAS;
export const COLLECTIONS = Object.keys(COLLECTION_SCHEMAS) as readonly Collection[];
/** What is in a collection. */
export type Item<Name extends Collection> = View[Name][number];

function changeOf(schema: z.ZodArray): z.ZodExactOptional<z.ZodObject> {
  return z
    .strictObject({ set: schema.describe("whole, new or changed"), removed: z.array(text).describe("ids") })
    .exactOptional();
}

/** The data of an event `change`: only what differs from what was told before. */
export const changeSchema = z.strictObject({
  at: z.number().describe("as in the view"),
  ...(Object.fromEntries(
    COLLECTIONS.map((name) => [name, changeOf(COLLECTION_SCHEMAS[name])]),
  ) as unknown as Record<Collection, z.ZodExactOptional<z.ZodObject>>),
});

export type ViewChange = { readonly at: number } & {
  readonly [Name in Collection]?: { readonly set: View[Name]; readonly removed: readonly string[] };
};

/** The data of an event `event`: a line of the log. */
export const logEventSchema = z.strictObject({
  id: text.describe("of this line alone; it may be told again, after the connection was lost"),
  atMs: z.number().describe("when it was noticed; milliseconds since 1970"),
  node: text.nullable().describe("the id of a node or machine; null where it is of none"),
  level: z.enum(["info", "warning", "error"]),
  text,
});
export type LogEvent = Output<typeof logEventSchema>;

/** The names of the events of `/api/v1/view/events`, in the order in which they begin: `view` is the whole, once; at most 500 of `event` follow it. */
export const VIEW_EVENTS = ["view", "event", "change"] as const;
