// SPDX-License-Identifier: Apache-2.0
// What the API answers. The schemas are its description, and the types that whoever serves it has to meet.
import { z } from "zod";
import { SESSION_STATES } from "../model/bgp-session.ts";

const count = z.int().min(0);
const octets = z.int().min(0);
const text = z.string();
const ip = z.string().describe("an IPv4 or IPv6 address, in canonical text (RFC 5952)");
const cidr = z.string().describe("<address>/<length>");
const ifName = z.string().describe("the name of an interface of the node");
const reasons = z.array(text).describe("in words; none where nothing is amiss");

const part = z.strictObject({
  name: text,
  ok: z.boolean(),
  reasons,
});

const address = z.strictObject({
  current: cidr,
  reason: text.describe("why this one"),
  passedOver: z
    .array(z.strictObject({ address: cidr, interface: text, reason: text }))
    .describe("what else there was, and why it was not taken"),
});

const pending = z.strictObject({ kind: text, key: text, reason: text });

const session = z.strictObject({
  name: text.describe("of BIRD's protocol"),
  peer: ip,
  state: z.enum(SESSION_STATES),
  sinceMs: z.number().describe("when its protocol last changed its state; milliseconds since 1970"),
  imported: count.describe("routes taken from the peer"),
  exported: count.describe("routes given to the peer"),
  peerRestarting: z.boolean().describe("the peer is away, and its routes are kept for a while (RFC 4724)"),
  lastError: text.optional().describe("in BIRD's words"),
  bfd: text.optional().describe("the state of the BFD session beside it"),
});

const bird = z.strictObject({
  pid: z.int().optional(),
  version: text,
  sessions: z.array(session),
  recovering: z.boolean().describe("it was restarted, and changes no route before its peers have come back"),
});

const routeSource = z.enum(["bird", "datastore"]).describe("who tells the kernel the ways to other nodes");

const tunnel = z.strictObject({
  kind: z.enum(["ipip", "vxlan", "vxlan6", "wireguard"]),
  address: ip.describe("this node's, inside the tunnel"),
  mtu: octets.optional(),
  checksums: z.enum(["offloaded", "computed"]).optional(),
});

/** The schema of every answer in JSON, by the name of what is asked for. */
export const ANSWERS = {
  health: z.strictObject({
    ok: z.boolean().describe("whether the agent works; a restart may mend it where it does not"),
    parts: z.array(part),
  }),
  readiness: z.strictObject({
    ok: z.boolean().describe("whether the node does its work"),
    parts: z.array(part),
    degraded: z.array(text).describe("what is amiss and leaves the node ready"),
  }),
  status: z.strictObject({
    nodeName: text,
    version: text.describe("the agent's"),
    pid: z.int(),
    started: z
      .boolean()
      .describe("the datastore was read and the kernel brought in line; CNI is served since"),
    ready: z.boolean(),
    reasons: reasons.describe("why it is not ready, most basic cause first"),
    degraded: z.array(text).describe("what is amiss and leaves the node ready"),
    ignored: z.array(text).describe("stored fields that are not known here"),
    address: address.nullable(),
    ipv6Address: address.nullable(),
    routeSource,
    pools: z.array(z.strictObject({ name: text, cidr, ipipMode: text, vxlanMode: text })),
    mtu: z.strictObject({ underlay: octets.nullable(), containers: octets.nullable() }),
    tunnels: z.array(tunnel),
    bird: bird.nullable(),
    peers: z
      .array(z.strictObject({ what: text, address: ip }))
      .describe("everybody that BIRD is to speak with"),
    dataplane: z.strictObject({
      isSettled: z.boolean().describe("nothing waits to be applied"),
      wanted: z.record(text, count).describe("how many objects of each kind there should be"),
      faults: z.array(pending),
      blocked: z.array(pending).describe("objects that wait for something else"),
    }),
    unroutable: z.array(z.strictObject({ dst: cidr, reason: text })),
    memory: z.strictObject({ rss: octets, heapUsed: octets }),
  }),
  endpoints: z.strictObject({
    endpoints: z.array(
      z.strictObject({
        name: text.describe("of the WorkloadEndpoint"),
        orchestrator: text.optional(),
        workload: text.optional().describe("the container's ID, or the name of its pod"),
        endpoint: text.optional().describe("the interface's name inside the container"),
        interface: ifName,
        mac: text.describe("of the container's end"),
        addresses: z.array(ip),
        pending: reasons.describe("what of it is not in the kernel as it should be"),
      }),
    ),
  }),
  routes: z.strictObject({
    routes: z
      .array(
        z.strictObject({
          dst: cidr,
          table: z.int().describe("254 is the main table"),
          metric: count.describe("lower is preferred"),
          type: text.describe("as ip-route(8) has it"),
          origin: z.enum(["agent", "bird", "kernel", "other"]).describe("who has brought it"),
          gateway: ip.optional(),
          interface: ifName.optional(),
          source: ip.optional().describe("the source address of the node's own packets"),
          mtu: octets.optional(),
          present: z.boolean().describe("false for one that is wanted and not in the kernel"),
          pending: text.optional().describe("why it is not as it should be"),
        }),
      )
      .describe("the main table, of IPv6 without link-local prefixes, and the agent's own table"),
    unroutable: z
      .array(z.strictObject({ dst: cidr, reason: text }))
      .describe("destinations of the cluster that have no route"),
  }),
  neighbours: z.strictObject({
    neighbours: z.array(
      z.strictObject({
        ip,
        interface: ifName,
        mac: text.optional(),
        permanent: z.boolean().describe("never asked for: the agent's own"),
        present: z.boolean().describe("false for one that is wanted and not in the kernel"),
        pending: text.optional(),
      }),
    ),
  }),
  bgp: z.strictObject({
    routeSource,
    state: z.enum(["stopped", "restarting", "running"]).describe("of this node's BIRD"),
    lastError: text.optional().describe("what came of starting it again"),
    bird: bird.omit({ sessions: true }).nullable(),
    asNumber: count.nullable(),
    listenPort: count.nullable().describe("of TCP"),
    originated: z.array(cidr).describe("what this node announces"),
    sessions: z.array(
      session.extend({ with: text.optional().describe("the node, or the BGPPeer that asks for it") }),
    ),
    missing: z
      .array(z.strictObject({ peer: ip, with: text }))
      .describe("sessions that are wanted, and that BIRD does not have"),
  }),
  ipam: z.strictObject({
    pools: z.array(
      z.strictObject({
        name: text,
        cidr,
        disabled: z.boolean(),
        addresses: text.describe("how many it has, in decimal: of IPv6 more than a number holds"),
        inUse: count.describe("on all nodes"),
        blocks: count.describe("on all nodes"),
      }),
    ),
    blocks: z.array(
      z.strictObject({
        cidr,
        pool: text.nullable().describe("that holds it; null where that is gone"),
        node: text.nullable().describe("that it is affine to"),
        addresses: count,
        inUse: count,
        free: count.describe("that can be given out; what remains cools down"),
      }),
    ),
  }),
} as const;
