// SPDX-License-Identifier: Apache-2.0
import { type Cidr, hostCidr } from "../net/cidr.ts";
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import type { Contribution } from "./contributions.ts";
import type { NodeFacts, Settings, WireguardEnd } from "./facts.ts";
import type { Holding } from "./holding.ts";
import type { Contributed } from "./outcome.ts";
import { tunnelSysctls } from "./sysctl.ts";
import {
  WIREGUARD_DEVICE,
  WIREGUARD_MARK,
  WIREGUARD_RULE_PRIORITY,
  WIREGUARD_TABLE,
  type WantedPeer,
  type WantedRoute,
  WORKLOAD_METRIC,
  addressKey,
  linkKey,
  peerKey,
  routeKey,
  ruleKey,
  wireguardKey,
} from "./wanted.ts";

/**
 * This node's end: the device, the node's address inside the tunnel, and the rule by which the routes to what is encrypted are looked up first.
 */
export function ownWireguard(
  { ip, publicKey }: WireguardEnd,
  { wireguardPort: listenPort }: Settings,
  mtu: number,
): Contributed {
  const [ifName, table, priority] = [WIREGUARD_DEVICE, WIREGUARD_TABLE, WIREGUARD_RULE_PRIORITY];
  return {
    link: [{ key: linkKey(ifName), value: { kind: "wireguard", name: ifName, mtu } }],
    address: [{ key: addressKey(ifName, ip), value: { ifName, ip } }],
    sysctl: tunnelSysctls(ifName),
    wireguard: [
      { key: wireguardKey(ifName), value: { ifName, publicKey, listenPort, mark: WIREGUARD_MARK } },
    ],
    rule: [{ key: ruleKey(priority, table), value: { priority, table, exceptMark: WIREGUARD_MARK } }],
  };
}

/**
 * Another node as a peer: what it holds, and its own addresses, from which it answers this node's containers. It is a peer for as long as
 * both have an end, whether this node sends to it or not: the other may send still.
 */
export function wireguardPeer(
  { address, wireguard }: NodeFacts,
  holdings: readonly Cidr[],
  { wireguardPort: port }: Settings,
): Contributed {
  if (wireguard === undefined) return {};
  const { publicKey, ip } = wireguard;
  const own = ip === undefined ? [address] : [address, ip];
  const allowedIps = [...new Set([...holdings, ...own.map(hostCidr)])].sort();
  const value: WantedPeer = {
    ifName: WIREGUARD_DEVICE,
    publicKey,
    endpoint: { ip: address, port },
    allowedIps,
  };
  return { peer: [{ key: peerKey(WIREGUARD_DEVICE, publicKey), value }] };
}

/**
 * The routes that are looked up first: what is on a node that has the other end goes there, encrypted, whatever the pool asks for besides.
 * What lies within such a prefix, and is elsewhere, goes on with the main table.
 */
export function encryptedRoutes(
  block: Cidr,
  holdings: readonly Holding[],
  isEncrypted: (node: string) => boolean,
): readonly Contribution<WantedRoute>[] {
  const isAround = holdings.some(({ dst, node }) => dst === block && isEncrypted(node));
  return holdings.flatMap(({ dst, node }) => {
    if (isEncrypted(node)) return [encryptedRoute(dst, { kind: "link", ifName: WIREGUARD_DEVICE })];
    return isAround ? [encryptedRoute(dst, { kind: "throw" })] : [];
  });
}

/** The IPv6 packets of a node that encrypts, where there is a pool of them. */
export const IPV6_UNENCRYPTED = "those of IPv6, for it carries IPv4 alone";

/** The other nodes that packets go to as they are, and why. Where this node has no key itself, that is the reason for all. */
export function unencrypted(
  self: string,
  nodes: ReadonlyMap<string, NodeFacts>,
  isEncrypted: (node: string) => boolean,
): readonly string[] {
  if (nodes.get(self)?.wireguard === undefined) return [];
  return [...nodes]
    .filter(([name]) => name !== self && !isEncrypted(name))
    .map(([name, { wireguard }]) =>
      wireguard === undefined
        ? `node "${name}" has no WireGuard key`
        : `node "${name}" has the WireGuard key of another node`,
    )
    .sort();
}

function encryptedRoute(dst: Cidr, target: WantedRoute["target"]): Contribution<WantedRoute> {
  const [table, metric] = [WIREGUARD_TABLE, WORKLOAD_METRIC];
  return {
    key: routeKey(dst, metric, table),
    value: { table, dst, metric, target, standing: "present" },
  };
}

/** Which nodes have which public key: one that two have, as a machine and its copy do, is of no use, for packets would go to one of them. */
export class KeyHolders {
  readonly #keys = new Map<string, WireguardPublicKey>();
  readonly #holders = new Map<WireguardPublicKey, Set<string>>();

  /** Takes in a node's key, and gives the other nodes for which that makes a difference. */
  note(node: string, key: WireguardPublicKey | undefined): readonly string[] {
    const before = this.#keys.get(node);
    if (before === key) return [];
    if (before !== undefined) this.#holders.get(before)?.delete(node);
    const left = this.#holdersOf(before);
    if (before !== undefined && left.length === 0) this.#holders.delete(before);
    const met = this.#holdersOf(key);
    if (key === undefined) this.#keys.delete(node);
    else {
      this.#keys.set(node, key);
      this.#holders.set(key, new Set([...met, node]));
    }
    return [...left, ...met];
  }

  /** Whether the node has a key that no other has. */
  isSole(node: string): boolean {
    return this.#holdersOf(this.#keys.get(node)).length === 1;
  }

  #holdersOf(key: WireguardPublicKey | undefined): readonly string[] {
    return key === undefined ? [] : [...(this.#holders.get(key) ?? [])];
  }
}
