// SPDX-License-Identifier: Apache-2.0
import type { Revision, Store, WaitOptions } from "../datastore/store.ts";
import { parseAffinity } from "../model/ipam-affinity.ts";
import { type IpamBlock, parseBlock } from "../model/ipam-block.ts";
import { type IpamHandle, parseHandle } from "../model/ipam-handle.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { Parsed } from "../model/issue.ts";
import {
  ROOT,
  type ResourceId,
  parseAffinityKey,
  parseBlockKey,
  parseHandleKey,
  parseResourceKey,
} from "../model/keys.ts";
import type { Node } from "../model/node.ts";
import { type Resources, type Stored, parseStoredResource } from "../model/resource.ts";
import { type Cidr, cidrAddress } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";

/** Somebody who uses an address, whatever IPAM knows of it. */
export interface AddressUse {
  readonly ip: Ip;
  /** In words, such as `WorkloadEndpoint "default/…"`. */
  readonly by: string;
  readonly node: string;
}

export interface BlockClaim {
  readonly node: string;
  readonly cidr: Cidr;
  readonly state: "pending" | "confirmed" | "pendingDeletion";
}

/** Everything about addresses that the datastore holds, as it was read. */
export interface Inventory {
  /** That it was read at. */
  readonly revision: Revision;
  readonly blocks: ReadonlyMap<Cidr, IpamBlock>;
  readonly claims: readonly BlockClaim[];
  readonly handles: ReadonlyMap<string, IpamHandle>;
  readonly pools: readonly IPPool[];
  readonly nodes: ReadonlySet<string>;
  readonly uses: readonly AddressUse[];
  /** Keys of what cannot be read. */
  readonly unreadable: readonly string[];
}

/** Reads it as it was at one moment. An attachment that was under way then may look amiss: whoever acts on it looks again. */
export async function readInventory(store: Store, options: WaitOptions = {}): Promise<Inventory> {
  const { entries, revision } = await store.list(ROOT, options);
  const draft = new Draft(revision);
  for (const { key, value } of entries) draft.add(key, value);
  return draft;
}

class Draft implements Inventory {
  readonly revision: Revision;
  readonly blocks = new Map<Cidr, IpamBlock>();
  readonly claims: BlockClaim[] = [];
  readonly handles = new Map<string, IpamHandle>();
  readonly pools: IPPool[] = [];
  readonly nodes = new Set<string>();
  readonly uses: AddressUse[] = [];
  readonly unreadable: string[] = [];

  constructor(revision: Revision) {
    this.revision = revision;
  }

  add(key: string, text: string): void {
    const [cidr, handle, claim, resource] = [
      parseBlockKey(key),
      parseHandleKey(key),
      parseAffinityKey(key),
      parseResourceKey(key),
    ];
    if (cidr !== undefined) this.#take(key, parseBlock(text), (block) => this.blocks.set(cidr, block));
    else if (handle !== undefined) this.#take(key, parseHandle(text), (one) => this.handles.set(handle, one));
    else if (claim !== undefined)
      this.#take(key, parseAffinity(text), ({ state, deleted }) => {
        if (!deleted) this.claims.push({ ...claim, state });
      });
    else if (resource !== undefined) this.#addResource(key, resource, text);
  }

  #addResource(key: string, { kind }: ResourceId, text: string): void {
    const json = parseJson(text);
    if (kind === "Node")
      this.#take(key, parseStoredResource(kind, json), (node) => {
        this.nodes.add(node.metadata.name);
        this.uses.push(...tunnelUses(node));
      });
    else if (kind === "IPPool")
      this.#take(key, parseStoredResource(kind, json), (pool) => this.pools.push(pool));
    else if (kind === "WorkloadEndpoint")
      this.#take(key, parseStoredResource(kind, json), (endpoint) =>
        this.uses.push(...endpointUses(endpoint)),
      );
  }

  #take<T>(key: string, parsed: Parsed<T> | Stored<T>, take: (value: T) => unknown): void {
    if (parsed.kind === "ok") take(parsed.value);
    else this.unreadable.push(key);
  }
}

function endpointUses({ metadata, spec }: Resources["WorkloadEndpoint"]): readonly AddressUse[] {
  const by = `WorkloadEndpoint "${metadata.namespace}/${metadata.name}"`;
  return spec.ipNetworks.map((network) => ({ ip: cidrAddress(network), by, node: spec.node }));
}

function tunnelUses({ metadata: { name }, spec }: Node): readonly AddressUse[] {
  const ends = [
    ["IPIP", spec.bgp?.ipv4IPIPTunnelAddr],
    ["VXLAN", spec.ipv4VXLANTunnelAddr],
    ["VXLAN", spec.ipv6VXLANTunnelAddr],
    ["WireGuard", spec.wireguard?.interfaceIPv4Address],
    ["WireGuard", spec.wireguard?.interfaceIPv6Address],
  ] as const;
  return ends.flatMap(([kind, ip]) =>
    ip === undefined ? [] : [{ ip, by: `the end of ${kind} tunnels of node "${name}"`, node: name }],
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
