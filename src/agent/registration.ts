// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Entry, type Store, type WaitOptions } from "../datastore/store.ts";
import type { NodeFacts, VxlanEnd } from "../desired/facts.ts";
import { formatIssues } from "../model/issue.ts";
import { resourceKey } from "../model/keys.ts";
import { mergePatch } from "../model/merge-patch.ts";
import { API_VERSION, parseStoredResource } from "../model/resource.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { AgentConfig } from "./config.ts";
import { ROUTE_SOURCE_ANNOTATION } from "./facts.ts";

/** What an agent says of its node in the datastore. Whatever else the resource holds stays. */
export interface Registration {
  /** Records the node and its address. */
  register(options: WaitOptions): Promise<void>;
  /**
   * Tells the other nodes where this one's routes come from. `starting` leaves `bird` as it is, for a BIRD that an earlier agent left;
   * with `isFailed` it takes it back.
   */
  announceRouteSource(
    source: NodeFacts["routeSource"],
    options: WaitOptions & { readonly isFailed?: boolean },
  ): Promise<void>;
  /** Records this node's end of VXLAN tunnels, or that it has none. */
  recordVxlanEnd(end: VxlanEnd | undefined, options: WaitOptions): Promise<void>;
  /** Records this node's address inside IPIP tunnels, or that it has none. */
  recordIpipEnd(ip: Ipv4 | undefined, options: WaitOptions): Promise<void>;
}

export function createRegistration(store: Store, { nodeName, address }: AgentConfig): Registration {
  const key = resourceKey("Node", nodeName);
  const empty = { apiVersion: API_VERSION, kind: "Node", metadata: { name: nodeName }, spec: {} };
  const spec = { bgp: { ipv4Address: address } };
  return {
    register: (options) => patchNode(store, key, empty, () => ({ spec }), options),
    recordVxlanEnd(end, options) {
      const change = { ipv4VXLANTunnelAddr: end?.ip ?? null, vxlanTunnelMACAddr: end?.mac ?? null };
      return patchNode(store, key, empty, () => ({ spec: { ...spec, ...change } }), options);
    },
    recordIpipEnd(ip, options) {
      const bgp = { ...spec.bgp, ipv4IPIPTunnelAddr: ip ?? null };
      return patchNode(store, key, empty, () => ({ spec: { bgp } }), options);
    },
    announceRouteSource: (source, { isFailed = false, ...options }) =>
      patchNode(
        store,
        key,
        empty,
        (current) => {
          const stays = source === "starting" && current === "bird" && !isFailed;
          return { spec, metadata: { annotations: { [ROUTE_SOURCE_ANNOTATION]: stays ? current : source } } };
        },
        options,
      ),
  };
}

/** Reads, merges and writes until nobody else has written in between; writes nothing where nothing changes. */
async function patchNode(
  store: Store,
  key: string,
  empty: object,
  change: (routeSource: string | undefined) => object,
  options: WaitOptions,
): Promise<void> {
  for (;;) {
    const entry = await store.get(key, options);
    const { json, routeSource } =
      entry === undefined ? { json: empty, routeSource: undefined } : readNode(entry);
    const text = JSON.stringify(mergePatch(json, change(routeSource)));
    if (text === entry?.value) return;
    const result = await store.put(key, text, { ...options, expect: entry?.revision ?? "absent" });
    if (result.kind === "written") return;
  }
}

/** The stored JSON itself, with the fields that this version does not know, once it is seen to be a Node. */
function readNode({ key, value }: Entry): {
  readonly json: unknown;
  readonly routeSource: string | undefined;
} {
  const json: unknown = JSON.parse(value);
  const stored = parseStoredResource("Node", json);
  if (stored.kind === "ok")
    return { json, routeSource: stored.value.metadata.annotations?.[ROUTE_SOURCE_ANNOTATION] };
  throw new DatastoreError(
    "corrupt",
    `Cannot use what is stored under "${key}": ${formatIssues(stored.issues)}`,
  );
}
