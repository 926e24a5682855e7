// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrFamily, parseCidr } from "../net/cidr.ts";
import type { Family } from "../net/ip.ts";
import { type NodeName, isIdentifier, isSubdomain, parseNodeName } from "./name.ts";
import { type Kind, isKind } from "./resource.ts";

// The layout of Calico's etcd datastore (libcalico-go/lib/backend/model), so that both can share one.
/** What every key starts with. */
export const ROOT = "/calico/";
export const RESOURCES = `${ROOT}resources/v3/projectcalico.org/`;
const IPAM = `${ROOT}ipam/v2/`;

/** The folder of each kind, and whether namespaces divide it. */
const KINDS: Readonly<Record<Kind, { readonly plural: string; readonly namespaced: boolean }>> = {
  Node: { plural: "nodes", namespaced: false },
  IPPool: { plural: "ippools", namespaced: false },
  IPReservation: { plural: "ipreservations", namespaced: false },
  IPAMConfig: { plural: "ipamconfigs", namespaced: false },
  WorkloadEndpoint: { plural: "workloadendpoints", namespaced: true },
  BGPConfiguration: { plural: "bgpconfigurations", namespaced: false },
  BGPPeer: { plural: "bgppeers", namespaced: false },
  BGPFilter: { plural: "bgpfilters", namespaced: false },
  FelixConfiguration: { plural: "felixconfigurations", namespaced: false },
};

/** Calico's own IPAM settings; the resource of kind IPAMConfig stands beside it. */
export const IPAM_CONFIG_KEY = `${IPAM}config`;

/** Which resource a key belongs to. */
export interface ResourceId {
  readonly kind: Kind;
  readonly name: string;
  readonly namespace?: string;
}

/** Whether resources of the kind belong to a namespace. */
export function isNamespaced(kind: Kind): boolean {
  return KINDS[kind].namespaced;
}

/** What many resources of the kind are called in keys, `ippools`. */
export function pluralOf(kind: Kind): string {
  return KINDS[kind].plural;
}

/** The key of one resource; throws `SyntaxError` for a name that could lead to another key. */
export function resourceKey(kind: Kind, name: string, namespace?: string): string {
  if (!isName(kind, name)) throw new SyntaxError(`Cannot make key of ${kind} "${name}": it is no valid name`);
  if (isNamespaced(kind) && namespace === undefined)
    throw new SyntaxError(`Cannot make key of ${kind} "${name}": it needs a namespace`);
  return resourcePrefix(kind, namespace) + name;
}

/** What the keys of all resources of the kind, or of those in one namespace, start with. */
export function resourcePrefix(kind: Kind, namespace?: string): string {
  const folder = `${RESOURCES}${KINDS[kind].plural}/`;
  if (namespace === undefined) return folder;
  if (!isNamespaced(kind))
    throw new SyntaxError(
      `Cannot make key of ${kind} in namespace "${namespace}": it belongs to the cluster`,
    );
  if (!isSubdomain(namespace))
    throw new SyntaxError(`Cannot make key in namespace "${namespace}": it is no valid name`);
  return `${folder}${namespace}/`;
}

/** The inverse of {@link resourceKey}; `undefined` for every other key. */
export function parseResourceKey(key: string): ResourceId | undefined {
  if (!key.startsWith(RESOURCES)) return undefined;
  const [plural, ...names] = key.slice(RESOURCES.length).split("/");
  const kind = kindOf(plural);
  if (kind === undefined || names.length !== (isNamespaced(kind) ? 2 : 1)) return undefined;
  const [name = "", namespace] = names.toReversed();
  if (!isName(kind, name)) return undefined;
  if (namespace === undefined) return { kind, name };
  return isSubdomain(namespace) ? { kind, name, namespace } : undefined;
}

/** The key of a block of addresses. */
export function blockKey(cidr: Cidr): string {
  return blockPrefix(cidrFamily(cidr)) + keyText(cidr);
}

export function blockPrefix(family: Family): string {
  return `${IPAM}assignment/ipv${family}/block/`;
}

/** The inverse of {@link blockKey}. */
export function parseBlockKey(key: string): Cidr | undefined {
  const match = /^\/calico\/ipam\/v2\/assignment\/ipv([46])\/block\/([^/]+)$/.exec(key);
  return match === null ? undefined : parseKeyText(match[1], match[2]);
}

/** The key of a node's claim to a block. */
export function affinityKey(node: NodeName, cidr: Cidr): string {
  return affinityPrefix(node, cidrFamily(cidr)) + keyText(cidr);
}

/** What the claims of all nodes, of one node, or of one node in one family start with. */
export function affinityPrefix(node?: NodeName, family?: Family): string {
  if (node === undefined) return `${IPAM}host/`;
  return family === undefined ? `${IPAM}host/${node}/` : `${IPAM}host/${node}/ipv${family}/block/`;
}

/** The inverse of {@link affinityKey}. */
export function parseAffinityKey(key: string): { readonly node: NodeName; readonly cidr: Cidr } | undefined {
  const match = /^\/calico\/ipam\/v2\/host\/([^/]+)\/ipv([46])\/block\/([^/]+)$/.exec(key);
  if (match === null) return undefined;
  const [, node = "", family, text] = match;
  const cidr = parseKeyText(family, text);
  return cidr === undefined || !isSubdomain(node) ? undefined : { node: parseNodeName(node), cidr };
}

/** The key of an IPAM handle; throws `SyntaxError` for an ID that could lead to another key. */
export function handleKey(id: string): string {
  if (!isIdentifier(id)) throw new SyntaxError(`Cannot use IPAM handle "${id}": it is no valid identifier`);
  return HANDLE_PREFIX + id;
}

export const HANDLE_PREFIX = `${IPAM}handle/`;

/** The inverse of {@link handleKey}. */
export function parseHandleKey(key: string): string | undefined {
  const id = key.startsWith(HANDLE_PREFIX) ? key.slice(HANDLE_PREFIX.length) : "";
  return isIdentifier(id) ? id : undefined;
}

function kindOf(plural: string | undefined): Kind | undefined {
  const named = Object.entries(KINDS).find(([, entry]) => entry.plural === plural);
  return named !== undefined && isKind(named[0]) ? named[0] : undefined;
}

function isName(kind: Kind, name: string): boolean {
  return kind === "WorkloadEndpoint" ? isIdentifier(name) : isSubdomain(name);
}

function keyText(cidr: Cidr): string {
  return cidr.replace("/", "-");
}

function parseKeyText(family: string | undefined, text = ""): Cidr | undefined {
  try {
    const cidr = parseCidr(text.replace("-", "/"));
    return String(cidrFamily(cidr)) === family ? cidr : undefined;
  } catch {
    return undefined;
  }
}
