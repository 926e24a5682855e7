// SPDX-License-Identifier: Apache-2.0
import { type WantedAddress, addressKey } from "../desired/wanted.ts";
import { addressBits, familyOf } from "../net/ip.ts";
import { type LinkTable, missing } from "./link.ts";
import { type LinkAddress, addAddress, deleteAddress } from "./netlink/address.ts";
import { RT_SCOPE_UNIVERSE } from "./netlink/route.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

export type AddressTable = ReconcileTable<WantedAddress, LinkAddress>;

export function createAddressTable(): AddressTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

/** Ownership: every IPv4 address on a tunnel device is ours. `undefined` for all others, which are not ours to look at. */
export function seenAddressKey(address: LinkAddress, links: LinkTable): string | undefined {
  const link = links.byIndex(address.ifIndex);
  const isOurs = link !== undefined && links.isTunnelIndex(link.index) && familyOf(address.ip) === 4;
  return isOurs ? addressKey(link.name, address.ip) : undefined;
}

export function planAddress(key: string, table: AddressTable, links: LinkTable): Plan<LinkAddress> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined)
    return seen === undefined ? DONE : { kind: "remove", request: deleteAddress(seen) };
  const link = links.byName(wanted.ifName);
  if (link === undefined) return { kind: "blocked", reason: missing(wanted.ifName) };
  const prefixLength = addressBits(familyOf(wanted.ip));
  if (seen?.ifIndex === link.index && seen.prefixLength === prefixLength) return DONE;
  if (seen !== undefined) return { kind: "remove", request: deleteAddress(seen) };
  const address = { ifIndex: link.index, ip: wanted.ip, prefixLength, scope: RT_SCOPE_UNIVERSE };
  return { kind: "change", request: addAddress(address), after: address };
}
