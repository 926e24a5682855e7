// SPDX-License-Identifier: Apache-2.0
import { LOOPBACK, type WantedAddress, addressKey } from "../desired/wanted.ts";
import { LINK_LOCAL, cidrContainsIp } from "../net/cidr.ts";
import { type Ip, addressBits, familyOf } from "../net/ip.ts";
import { type LinkTable, missing } from "./link.ts";
import { type LinkAddress, addAddress, deleteAddress, replaceAddress } from "./netlink/address.ts";
import type { Link } from "./netlink/link.ts";
import { RT_SCOPE_HOST, RT_SCOPE_UNIVERSE } from "./netlink/route.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** The node's addresses: all of them for lookups, ours to be reconciled. */
export class AddressTable {
  readonly table = new ReconcileTable<WantedAddress, LinkAddress>((wanted) => wanted.ifName);
  /** address -> the interfaces that have it */
  readonly #holders = new Map<Ip, Set<number>>();

  /** The interface that has the address, the one of the lowest index where several have. */
  holderOf(ip: Ip): number | undefined {
    const holders = this.#holders.get(ip);
    return holders && Math.min(...holders);
  }

  see(address: LinkAddress, links: LinkTable): void {
    this.#hold(address);
    const key = seenAddressKey(address, links, this.#isWanted);
    if (key !== undefined) this.table.see(key, address);
  }

  remove(address: LinkAddress, links: LinkTable): void {
    this.#release(address.ip, address.ifIndex);
    const key = seenAddressKey(address, links, this.#isWanted);
    if (key !== undefined) this.table.see(key, undefined);
  }

  reset(addresses: readonly LinkAddress[], links: LinkTable): void {
    this.#holders.clear();
    for (const address of addresses) this.#hold(address);
    const keyed = addresses.map(
      (address) => [seenAddressKey(address, links, this.#isWanted), address] as const,
    );
    this.table.reset(new Map(keyed.flatMap(([key, address]) => (key === undefined ? [] : [[key, address]]))));
  }

  /** Addresses of an interface that is gone. */
  forgetInterface(index: number): void {
    this.table.forget((address) => address.ifIndex === index);
    for (const ip of this.#holders.keys()) this.#release(ip, index);
  }

  readonly #isWanted = (key: string): boolean => this.table.wanted(key) !== undefined;

  #hold({ ip, ifIndex }: LinkAddress): void {
    this.#holders.set(ip, (this.#holders.get(ip) ?? new Set()).add(ifIndex));
  }

  #release(ip: Ip, ifIndex: number): void {
    const holders = this.#holders.get(ip);
    holders?.delete(ifIndex);
    if (holders?.size === 0) this.#holders.delete(ip);
  }
}

/** Marks our addresses, for those on interfaces that are not ours. */
export const ADDRESS_LABEL = "margay";

/** RFC 4291 section 2.5.6. */
const LINK_LOCAL_LENGTH = 64;

function isLinkLocal(ip: Ip): boolean {
  return cidrContainsIp(LINK_LOCAL[6], ip);
}

/**
 * Ownership: every address on a tunnel device is ours but for those that the kernel gives it by itself, and elsewhere IPv4 addresses with our label.
 * `undefined` for all others, which are not ours to look at unless they are wanted.
 */
function seenAddressKey(
  address: LinkAddress,
  links: LinkTable,
  isWanted: (key: string) => boolean,
): string | undefined {
  const link = links.byIndex(address.ifIndex);
  if (link === undefined) return undefined;
  const key = addressKey(link.name, address.ip);
  const isOfTunnel = links.isTunnelIndex(link.index) && !isLinkLocal(address.ip);
  // The kernel makes the link-local address of a node end too: that it is there is all that matters.
  const isGateway = isLinkLocal(address.ip) && isWanted(key);
  return isOfTunnel || isGateway || address.label === ADDRESS_LABEL ? key : undefined;
}

export function planAddress(key: string, { table }: AddressTable, links: LinkTable): Plan<LinkAddress> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", requests: [deleteAddress(seen)] };
  const link = links.byName(wanted.ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(wanted.ifName) };
  const prefixLength = isLinkLocal(wanted.ip) ? LINK_LOCAL_LENGTH : addressBits(familyOf(wanted.ip));
  const passing = passingOn(link, wanted.ip, links);
  const isRight =
    seen?.ifIndex === link.index && seen.prefixLength === prefixLength && seen.passing === passing;
  if (isRight) return DONE;
  if (seen !== undefined) return { kind: "remove", requests: [deleteAddress(seen)] };
  if (familyOf(wanted.ip) === 6) {
    const address: LinkAddress = {
      ...{ ifIndex: link.index, ip: wanted.ip, prefixLength, scope: RT_SCOPE_UNIVERSE },
      ...(passing !== undefined && { passing }),
    };
    // The kernel may be about to make it by itself.
    const request = replaceAddress(address, { skipDuplicateDetection: true });
    return { kind: "change", requests: [request], after: address };
  }
  const address = {
    ifIndex: link.index,
    ip: wanted.ip,
    prefixLength,
    // On the loopback interface it would be the source of whatever the node sends out of interfaces without an address.
    scope: wanted.ifName === LOOPBACK ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE,
    label: ADDRESS_LABEL,
  };
  return { kind: "change", requests: [addAddress(address)], after: address };
}

/**
 * An IPv6 address in a tunnel is the source of what the node sends by routes that say so, and of nothing else. The kernel would take it for local containers too, for it is
 * the one most like theirs (RFC 6724 section 5, rule 8), where it takes that of the node in IPv4; rule 3 comes before.
 */
function passingOn(link: Link, ip: Ip, links: LinkTable): LinkAddress["passing"] {
  return familyOf(ip) === 6 && links.isTunnelIndex(link.index) ? "deprecated" : undefined;
}
