// SPDX-License-Identifier: Apache-2.0
import {
  IPIP_DEVICE,
  VXLAN6_DEVICE,
  VXLAN_DEVICE,
  WIREGUARD_DEVICE,
  type WantedLink,
  linkKey,
} from "../desired/wanted.ts";
import type { IfName } from "../net/if-name.ts";
import { familyOf } from "../net/ip.ts";
import type { LinkRequest } from "./link-request.ts";
import { type Link, deleteLink, setLink } from "./netlink/link.ts";
import { createIpip } from "./netlink/link-ipip.ts";
import { createVxlan } from "./netlink/link-vxlan.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** Ownership: a veth end whose name is `cali` and 11 hex digits is ours, whoever made it. */
const NODE_END = /^cali[0-9a-f]{11}$/;

export function isNodeEnd(link: Link): boolean {
  return link.kind === "veth" && NODE_END.test(link.name);
}

/** Marks an interface that others may use too. */
const ALIAS = "margay";

const OWN_DEVICES: ReadonlySet<string> = new Set([VXLAN_DEVICE, VXLAN6_DEVICE, WIREGUARD_DEVICE]);

/** Ownership: the devices of VXLAN and WireGuard are ours by their names. The kernel makes the IPIP device for everyone: it is ours by its alias. */
export function isTunnel({ name, alias }: Link): boolean {
  return OWN_DEVICES.has(name) || (name === IPIP_DEVICE && alias === ALIAS);
}

/** Whether a link that is ours may have the name, where no more than that is known of it. */
export function isOwnName(name: string): boolean {
  return NODE_END.test(name) || OWN_DEVICES.has(name) || name === IPIP_DEVICE;
}

function isOurs(link: Link): boolean {
  return isNodeEnd(link) || isTunnel(link);
}

/** The node's interfaces: all of them for lookups, ours to be reconciled. */
export class LinkTable {
  readonly table = new ReconcileTable<WantedLink, Link>((wanted) => wanted.name);
  readonly #byIndex = new Map<number, Link>();
  readonly #byName = new Map<string, Link>();

  byIndex(index: number): Link | undefined {
    return this.#byIndex.get(index);
  }

  byName(name: string): Link | undefined {
    return this.#byName.get(name);
  }

  /** The names of all interfaces that are not ours. */
  othersNames(): readonly string[] {
    return this.#byName
      .values()
      .filter((link) => !isOurs(link))
      .map(({ name }) => name)
      .toArray();
  }

  /** Whether the interface is a node end. */
  isNodeEndIndex(index: number | undefined): boolean {
    const link = index === undefined ? undefined : this.#byIndex.get(index);
    return link !== undefined && isNodeEnd(link);
  }

  /** Whether the interface is a tunnel device; addresses and forwarding entries on it are ours too. */
  isTunnelIndex(index: number | undefined): boolean {
    const link = index === undefined ? undefined : this.#byIndex.get(index);
    return link !== undefined && isTunnel(link);
  }

  /** Whether routes and neighbours on the interface are ours. */
  isOurIndex(index: number | undefined): boolean {
    return this.isNodeEndIndex(index) || this.isTunnelIndex(index);
  }

  see(link: Link): void {
    const before = this.#byIndex.get(link.index);
    if (before !== undefined && before.name !== link.name) this.#forget(before);
    this.#byIndex.set(link.index, link);
    this.#byName.set(link.name, link);
    const key = linkKey(link.name);
    // One that is to be ours, and is not marked as such.
    const isWanted = this.table.wanted(key) !== undefined;
    if (isOurs(link) || isWanted) this.table.see(key, link);
  }

  remove(link: Link): void {
    const known = this.#byIndex.get(link.index);
    if (known !== undefined) this.#forget(known);
  }

  reset(links: readonly Link[]): void {
    this.#byIndex.clear();
    this.#byName.clear();
    for (const link of links) {
      this.#byIndex.set(link.index, link);
      this.#byName.set(link.name, link);
    }
    this.table.reset(new Map(links.filter(isOurs).map((link) => [linkKey(link.name), link])));
  }

  #forget(link: Link): void {
    this.#byIndex.delete(link.index);
    // The name may have gone to another interface meanwhile.
    if (this.#byName.get(link.name)?.index === link.index) {
      this.#byName.delete(link.name);
      this.table.see(linkKey(link.name), undefined);
    }
  }
}

export function planLink(key: string, links: LinkTable): Plan<Link, LinkRequest> {
  const { table } = links;
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted?.kind === "nodeEnd") return planNodeEnd(wanted, seen);
  if (wanted?.kind === "vxlan") return planVxlan(wanted, links.byName(wanted.name));
  if (wanted?.kind === "ipip") return planIpip(wanted, links.byName(wanted.name));
  if (wanted?.kind === "wireguard") return planWireguardLink(wanted, links.byName(wanted.name));
  if (seen === undefined) return DONE;
  if (isNodeEnd(seen)) return closeNodeEnd(seen);
  return isFallbackTunnel(seen)
    ? giveBack(seen)
    : { kind: "remove", requests: [deleteLink({ index: seen.index })] };
}

/** Node ends come and go with their containers, by ADD and DEL; here they are set right. */
function planNodeEnd(wanted: WantedLink & { readonly kind: "nodeEnd" }, seen: Link | undefined): Plan<Link> {
  if (seen === undefined) return { kind: "blocked", reason: missing(wanted.name) };
  if (seen.up && seen.mac === wanted.mac) return DONE;
  const request = setLink({ index: seen.index, up: true, mac: wanted.mac });
  return { kind: "change", requests: [request], after: { ...seen, up: true, mac: wanted.mac } };
}

/** Set down, so that it forwards nothing, and no further: a record that was lost and comes back finds its container whole. */
function closeNodeEnd(seen: Link): Plan<Link> {
  if (!seen.up) return DONE;
  return {
    kind: "change",
    requests: [setLink({ index: seen.index, up: false })],
    after: { ...seen, up: false },
  };
}

/** It cannot be removed, so it becomes what it was. */
function giveBack(seen: Link): Plan<Link> {
  const { alias, ...after } = seen;
  if (alias !== ALIAS) return DONE;
  const request = setLink({ index: seen.index, up: false, alias: "" });
  return { kind: "change", requests: [request], after: { ...after, up: false } };
}

/** The device that the kernel's module makes in every namespace: it has no ends, and stays as long as the module does. */
function isFallbackTunnel({ name, kind, tunnel }: Link): boolean {
  const isBound = tunnel?.kind === "ipip" && (tunnel.localIp ?? tunnel.remoteIp) !== undefined;
  return name === IPIP_DEVICE && kind === "ipip" && !isBound;
}

/** A device without ends takes every packet of its protocol, and sends each where the route says. */
function planIpip(wanted: WantedLink & { readonly kind: "ipip" }, seen: Link | undefined): Plan<Link> {
  const { name, mtu } = wanted;
  if (seen === undefined) return { kind: "create", requests: [createIpip({ name, mtu, up: true })] };
  if (!isFallbackTunnel(seen)) return { kind: "blocked", reason: `somebody else has made "${name}"` };
  const right = { up: true, mtu, alias: ALIAS };
  if (seen.up && seen.mtu === mtu && seen.alias === ALIAS) return DONE;
  const request = setLink({ index: seen.index, ...right });
  return { kind: "change", requests: [request], after: { ...seen, ...right } };
}

/**
 * What a device was made with cannot be changed: one with other parameters is replaced. The outer UDP header has no checksum over IPv4 (RFC 7348
 * section 5): the inner packet has its own, and a network card that computes both is rare. Over IPv6 it has one, for nothing else there says whether the
 * addresses are whole, and firewalls and hosts drop packets without (RFC 8200 section 8.1); from nodes that are set up otherwise such are taken (RFC 6935).
 */
function planVxlan(wanted: WantedLink & { readonly kind: "vxlan" }, seen: Link | undefined): Plan<Link> {
  const { name, mac, mtu, vni, port, localIp } = wanted;
  const takesNoChecksum6 = familyOf(localIp) === 6;
  const fixed = { vni, port, localIp, learning: false, udpChecksum: false, takesNoChecksum6 };
  if (seen === undefined)
    return { kind: "create", requests: [createVxlan({ name, mac, mtu, up: true, ...fixed })] };
  const { tunnel } = seen;
  const isRight =
    tunnel?.kind === "vxlan" &&
    tunnel.vni === vni &&
    tunnel.port === port &&
    tunnel.localIp === localIp &&
    tunnel.remoteIp === undefined &&
    !tunnel.learning &&
    !tunnel.udpChecksum &&
    !tunnel.omitsChecksum6 &&
    tunnel.takesNoChecksum6 === takesNoChecksum6 &&
    !tunnel.external;
  if (!isRight) return { kind: "remove", requests: [deleteLink({ index: seen.index })] };
  if (seen.up && seen.mac === mac && seen.mtu === mtu) return DONE;
  const request = setLink({ index: seen.index, up: true, mac, mtu });
  return { kind: "change", requests: [request], after: { ...seen, up: true, mac, mtu } };
}

/** A TUN device is that of a process that does in the kernel's place. */
function planWireguardLink(
  { name, mtu }: WantedLink & { readonly kind: "wireguard" },
  seen: Link | undefined,
): Plan<Link, LinkRequest> {
  if (seen === undefined) {
    const description = `make WireGuard device "${name}"`;
    return { kind: "create", requests: [{ description, device: { name, mtu } }] };
  }
  if (seen.kind !== "wireguard" && seen.kind !== "tun")
    return { kind: "remove", requests: [deleteLink({ index: seen.index })] };
  if (seen.up && seen.mtu === mtu) return DONE;
  const request = setLink({ index: seen.index, up: true, mtu });
  return { kind: "change", requests: [request], after: { ...seen, up: true, mtu } };
}

export function missing(ifName: IfName): string {
  return `interface "${ifName}" is not there`;
}
