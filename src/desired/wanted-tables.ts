// SPDX-License-Identifier: Apache-2.0
// What is wanted in tables of nftables: each has one item for the table itself, and one for each element of its sets.
import type { Cidr } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import type { Ip } from "../net/ip.ts";
import type { Ipv4 } from "../net/ipv4.ts";

/** What holds all the rest. */
export interface WantedTable {
  readonly kind: "table";
}

/** Tunnels are guarded by a table for each family of their outer packets: a table of one kind stays as it is whatever becomes of the other. */
export type GuardKind = "guard" | "guard6";

/** What a guard of tunnels needs: packets inside others are taken from nodes, and from nobody else. */
export type WantedGuard = WantedTable | WantedGuardElement;
export type WantedGuardElement =
  | { readonly kind: "node"; readonly address: Ip }
  /** The outer packets of the tunnel are those of an IP protocol. */
  | { readonly kind: "protocol"; readonly ifName: IfName; readonly protocol: number }
  /** The outer packets of the tunnel are those to a UDP port. */
  | { readonly kind: "port"; readonly ifName: IfName; readonly port: number };

/** What the check of source addresses needs: node ends take packets that come from their container's addresses, and no others. */
export type WantedSource = WantedTable | WantedSourceElement;
export interface WantedSourceElement {
  readonly kind: "address";
  readonly ifName: IfName;
  readonly ip: Ip;
}

/** What outgoing translation needs. */
export type WantedNat = WantedNatTable | WantedNatElement;
export interface WantedNatTable extends WantedTable {
  /** The source address that packets get; `undefined` for that of the interface that they leave by. */
  readonly address: Ipv4 | undefined;
  /** The source ports that they get; `undefined` for whatever the kernel takes. */
  readonly ports: PortRange | undefined;
}
export type WantedNatElement =
  /** Packets from the prefix are translated, unless they go to one of the others. */
  | { readonly kind: "translated"; readonly cidr: Cidr }
  | { readonly kind: "pool"; readonly cidr: Cidr }
  | { readonly kind: "host"; readonly address: Ip };

/** The first and the last. */
export type PortRange = readonly [first: number, last: number];

export const SOURCE_TABLE_KEY = "source check";
export const NAT_TABLE_KEY = "nat";

export function guardKey(guard: GuardKind, wanted: WantedGuard): string {
  switch (wanted.kind) {
    case "table":
      return guardTableKey(guard);
    case "node":
      return guardElementKey(guard, wanted.kind, wanted.address);
    case "protocol":
      return guardElementKey(guard, wanted.kind, String(wanted.protocol));
    case "port":
      return guardElementKey(guard, wanted.kind, String(wanted.port));
  }
}

export function guardTableKey(guard: GuardKind): string {
  return guard;
}

export function guardElementKey(guard: GuardKind, kind: string, value: string): string {
  return `${guard} ${kind} ${value}`;
}

export function sourceKey(wanted: WantedSource): string {
  return wanted.kind === "table" ? SOURCE_TABLE_KEY : sourceElementKey(`${wanted.ifName} . ${wanted.ip}`);
}

/** `value` as nftables has it: interface and address. */
export function sourceElementKey(value: string): string {
  return `source ${value}`;
}

export function natKey(wanted: WantedNat): string {
  switch (wanted.kind) {
    case "table":
      return NAT_TABLE_KEY;
    case "translated":
    case "pool":
      return natElementKey(wanted.kind, wanted.cidr);
    case "host":
      return natElementKey(wanted.kind, wanted.address);
  }
}

export function natElementKey(kind: string, value: string): string {
  return `nat ${kind} ${value}`;
}
