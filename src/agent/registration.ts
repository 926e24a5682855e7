// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Entry, type Store, type WaitOptions } from "../datastore/store.ts";
import type { NodeFacts, VxlanEnd, WireguardEnd } from "../desired/facts.ts";
import { formatIssues } from "../model/issue.ts";
import { resourceKey } from "../model/keys.ts";
import { mergePatch } from "../model/merge-patch.ts";
import type { Node } from "../model/node.ts";
import { API_VERSION, parseStoredResource } from "../model/resource.ts";
import type { Family, Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { NodeName } from "../model/name.ts";
import { ROUTE_SOURCE_ANNOTATION, VERSION_ANNOTATION } from "./facts.ts";

/** What an agent says of its node in the datastore. Whatever else the resource holds stays. */
export interface Registration {
  /** The address of the family that the node has there, with its length; `undefined` where it has none. */
  recordedAddress(family: Family, options: WaitOptions): Promise<string | undefined>;
  /** Records the node, its addresses, and its agent's version. */
  register(options: WaitOptions): Promise<void>;
  /**
   * Tells the other nodes where this one's routes come from. `starting` leaves `bird` as it is, for a BIRD that an earlier agent left;
   * with `isFailed` it takes it back.
   */
  announceRouteSource(
    source: NodeFacts["routeSource"],
    options: WaitOptions & { readonly isFailed?: boolean },
  ): Promise<void>;
  /** Records this node's end of the family's VXLAN tunnels, or that it has none. */
  recordVxlanEnd(family: Family, end: VxlanEnd<Ip> | undefined, options: WaitOptions): Promise<void>;
  /** Records this node's end of WireGuard tunnels, or that it has none. */
  recordWireguardEnd(end: WireguardEnd | undefined, options: WaitOptions): Promise<void>;
  /** Records this node's address inside IPIP tunnels, or that it has none. */
  recordIpipEnd(ip: Ipv4 | undefined, options: WaitOptions): Promise<void>;
}

export interface RegistrationOptions {
  readonly nodeName: NodeName;
  /** The agent's. */
  readonly version: string;
  /** The node's address with its length; not asked for before something is recorded. */
  readonly address: () => string;
  /** Likewise of IPv6; `undefined` where the record is to stay as it is. */
  readonly ipv6Address: () => string | undefined;
}

export function createRegistration(
  store: Store,
  { nodeName, version, address, ipv6Address }: RegistrationOptions,
): Registration {
  const key = resourceKey("Node", nodeName);
  const empty = { apiVersion: API_VERSION, kind: "Node", metadata: { name: nodeName }, spec: {} };
  const bgp = (): object => {
    const six = ipv6Address();
    return { ipv4Address: address(), ...(six !== undefined && { ipv6Address: six }) };
  };
  const spec = (): object => ({ bgp: bgp() });
  return {
    async recordedAddress(family, options) {
      const entry = await store.get(key, options);
      return entry && readNode(entry).node.spec.bgp?.[family === 4 ? "ipv4Address" : "ipv6Address"];
    },
    register(options) {
      const metadata = { annotations: { [VERSION_ANNOTATION]: version } };
      return patchNode(store, key, empty, () => ({ metadata, spec: spec() }), options);
    },
    recordVxlanEnd(family, end, options) {
      const [ip, mac] = [end?.ip ?? null, end?.mac ?? null];
      const change =
        family === 4
          ? { ipv4VXLANTunnelAddr: ip, vxlanTunnelMACAddr: mac }
          : { ipv6VXLANTunnelAddr: ip, vxlanTunnelMACAddrV6: mac };
      return patchNode(store, key, empty, () => ({ spec: { ...spec(), ...change } }), options);
    },
    recordIpipEnd(ip, options) {
      const change = { ipv4IPIPTunnelAddr: ip ?? null };
      return patchNode(store, key, empty, () => ({ spec: { bgp: { ...bgp(), ...change } } }), options);
    },
    recordWireguardEnd: (end, options) =>
      patchNode(store, key, empty, (node) => wireguardPatch(end, node, spec()), options),
    announceRouteSource: (source, { isFailed = false, ...options }) =>
      patchNode(
        store,
        key,
        empty,
        (node) => {
          const current = node?.metadata.annotations?.[ROUTE_SOURCE_ANNOTATION];
          const stays = source === "starting" && current === "bird" && !isFailed;
          return {
            spec: spec(),
            metadata: { annotations: { [ROUTE_SOURCE_ANNOTATION]: stays ? current : source } },
          };
        },
        options,
      ),
  };
}

/** What is not there is not taken away either: a patch would leave empty objects. */
function wireguardPatch(end: WireguardEnd | undefined, node: Node | undefined, spec: object): object {
  const hasKey = node?.status?.wireguardPublicKey !== undefined;
  const hasAddress = node?.spec.wireguard?.interfaceIPv4Address !== undefined;
  if (end === undefined && !hasKey && !hasAddress) return { spec };
  return {
    spec: { ...spec, wireguard: { interfaceIPv4Address: end?.ip ?? null } },
    status: { wireguardPublicKey: end?.publicKey ?? null },
  };
}

/** Reads, merges and writes until nobody else has written in between; writes nothing where nothing changes. */
async function patchNode(
  store: Store,
  key: string,
  empty: object,
  change: (node: Node | undefined) => object,
  options: WaitOptions,
): Promise<void> {
  for (;;) {
    const entry = await store.get(key, options);
    const { json, node } = entry === undefined ? { json: empty, node: undefined } : readNode(entry);
    const text = JSON.stringify(mergePatch(json, change(node)));
    if (text === entry?.value) return;
    const result = await store.put(key, text, { ...options, expect: entry?.revision ?? "absent" });
    if (result.kind === "written") return;
  }
}

/** The stored JSON itself, with the fields that this version does not know, once it is seen to be a Node. */
function readNode({ key, value }: Entry): { readonly json: unknown; readonly node: Node } {
  const json: unknown = JSON.parse(value);
  const stored = parseStoredResource("Node", json);
  if (stored.kind === "ok") return { json, node: stored.value };
  throw new DatastoreError(
    "corrupt",
    `Cannot use what is stored under "${key}": ${formatIssues(stored.issues)}`,
  );
}
