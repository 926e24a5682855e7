// SPDX-License-Identifier: Apache-2.0
import { LOOPBACK, type WantedAddress, addressKey } from "../desired/wanted.ts";
import { type Ip, addressBits, familyOf } from "../net/ip.ts";
import { type LinkTable, missing } from "./link.ts";
import { type LinkAddress, addAddress, deleteAddress } from "./netlink/address.ts";
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
    const key = seenAddressKey(address, links);
    if (key !== undefined) this.table.see(key, address);
  }

  remove(address: LinkAddress, links: LinkTable): void {
    this.#release(address.ip, address.ifIndex);
    const key = seenAddressKey(address, links);
    if (key !== undefined) this.table.see(key, undefined);
  }

  reset(addresses: readonly LinkAddress[], links: LinkTable): void {
    this.#holders.clear();
    for (const address of addresses) this.#hold(address);
    const keyed = addresses.map((address) => [seenAddressKey(address, links), address] as const);
    this.table.reset(new Map(keyed.flatMap(([key, address]) => (key === undefined ? [] : [[key, address]]))));
  }

  /** Addresses of an interface that is gone. */
  forgetInterface(index: number): void {
    this.table.forget((address) => address.ifIndex === index);
    for (const ip of this.#holders.keys()) this.#release(ip, index);
  }

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

/** Ownership: every IPv4 address on a tunnel device is ours, and elsewhere those with our label. `undefined` for all others, which are not ours to look at. */
function seenAddressKey(address: LinkAddress, links: LinkTable): string | undefined {
  const link = links.byIndex(address.ifIndex);
  if (link === undefined || familyOf(address.ip) !== 4) return undefined;
  const isOurs = links.isTunnelIndex(link.index) || address.label === ADDRESS_LABEL;
  return isOurs ? addressKey(link.name, address.ip) : undefined;
}

export function planAddress(key: string, { table }: AddressTable, links: LinkTable): Plan<LinkAddress> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", requests: [deleteAddress(seen)] };
  const link = links.byName(wanted.ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(wanted.ifName) };
  const prefixLength = addressBits(familyOf(wanted.ip));
  if (seen?.ifIndex === link.index && seen.prefixLength === prefixLength) return DONE;
  if (seen !== undefined) return { kind: "remove", requests: [deleteAddress(seen)] };
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
