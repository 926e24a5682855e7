// SPDX-License-Identifier: Apache-2.0
// What agents answer, as those read it who ask them. Another version's may say more.
import { z } from "zod";

const pending = z.object({ kind: z.string(), key: z.string(), reason: z.string() });
const addressStatus = z.looseObject({ current: z.string(), reason: z.string() });
const octets = z.int().nullable();

/** What an agent's status tells, as far as people are shown it; what else there is, is passed on. */
export const nodeStatus = z.looseObject({
  nodeName: z.string(),
  /** Agents of other versions may say none. */
  version: z.string().exactOptional(),
  ready: z.boolean(),
  reasons: z.array(z.string()),
  degraded: z.array(z.string()),
  ignored: z.array(z.string()),
  address: addressStatus.nullable(),
  ipv6Address: addressStatus.nullable(),
  routeSource: z.enum(["bird", "datastore"]),
  pools: z.array(
    z.looseObject({ name: z.string(), cidr: z.string(), ipipMode: z.string(), vxlanMode: z.string() }),
  ),
  mtu: z.looseObject({ underlay: octets, containers: octets }),
  tunnels: z.array(
    z.looseObject({
      kind: z.string(),
      address: z.string(),
      mtu: z.int().optional(),
      checksums: z.string().optional(),
    }),
  ),
  bird: z
    .looseObject({
      pid: z.int().optional(),
      sessions: z.array(
        z.looseObject({
          name: z.string(),
          peer: z.string(),
          state: z.string(),
          bfd: z.string().optional(),
        }),
      ),
    })
    .nullable(),
  peers: z.array(z.object({ what: z.string(), address: z.string() })).prefault([]),
  dataplane: z.looseObject({
    isSettled: z.boolean(),
    wanted: z.record(z.string(), z.int()),
    faults: z.array(pending),
    blocked: z.array(pending),
  }),
  unroutable: z.array(z.object({ dst: z.string(), reason: z.string() })),
});
export type NodeStatus = Readonly<z.output<typeof nodeStatus>>;

const path = { node: z.string(), via: z.string(), address: z.string(), bytes: z.int() };

/** What an agent says of the ways to the other nodes. */
export const nodeCheck = z.looseObject({
  nodeName: z.string(),
  ok: z.boolean(),
  paths: z.array(
    z.discriminatedUnion("verdict", [
      z.looseObject({ ...path, verdict: z.literal("ok") }),
      z.looseObject({ ...path, verdict: z.literal("tooSmall"), found: z.int(), remedy: z.string() }),
      z.looseObject({ ...path, verdict: z.literal("unreachable"), reason: z.string() }),
    ]),
  ),
});
export type NodeCheck = Readonly<z.output<typeof nodeCheck>>;

/** Where the kernel is not as the agent wants it. */
export const nodeDifferences = z.looseObject({
  differences: z.array(
    z.looseObject({
      kind: z.string(),
      key: z.string(),
      state: z.enum(["missing", "wrong", "foreign", "waiting"]),
      what: z.string(),
    }),
  ),
  /** The kinds that could not be looked at; absent from agents that look at what rtnetlink tells of alone. */
  unseen: z.array(z.looseObject({ kind: z.string(), reason: z.string() })).exactOptional(),
});
export type NodeDifferences = Readonly<z.output<typeof nodeDifferences>>;
