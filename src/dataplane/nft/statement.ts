// SPDX-License-Identifier: Apache-2.0
// Margay's part of nftables, as values. Needs nft 0.9.5 and Linux 5.7, for counters of elements.

/** A table of ours; other tables are never named. */
export interface NftTable {
  readonly family: "ip" | "ip6" | "inet";
  readonly name: string;
}

/** What a set holds. Concatenations are written as nft writes them. */
export type NftType =
  "ipv4_addr" | "ipv6_addr" | "inet_proto" | "inet_service" | "ifname . ipv4_addr" | "ifname . ipv6_addr";

export interface NftSet {
  readonly kind: "set";
  readonly name: string;
  readonly type: NftType;
  /** Whether each element counts the packets that were found by it. */
  readonly counter: boolean;
  /** Whether elements may be prefixes. Such a set is changed by nft alone, and no event tells what it holds. */
  readonly interval: boolean;
}

/** A chain that the kernel's hook starts. What it does not decide, it accepts, and other chains still see. */
export interface NftBaseChain {
  readonly kind: "chain";
  readonly name: string;
  readonly type: "filter" | "nat";
  readonly hook: "prerouting" | "input" | "postrouting";
  readonly priority: number;
}

/** A field of the packet, or several side by side. */
export type NftField =
  | "iifname"
  | "ip saddr"
  | "ip daddr"
  | "ip protocol"
  | "ip6 saddr"
  | "ip6 daddr"
  | "udp dport"
  | "meta l4proto"
  | "iifname . ip saddr"
  | "iifname . ip6 saddr";

export type NftMatch =
  /** Whether the field is in a set. */
  | { readonly field: NftField; readonly isIn: boolean; readonly set: string }
  /** Whether the field is a number, an address, in a prefix, or a name that may end in `*`. */
  | { readonly field: NftField; readonly value: string };

/** What is done with the packets that match all. */
export type NftVerdict =
  | { readonly kind: "drop" }
  | { readonly kind: "accept" }
  /** Gives them the address of the interface that they leave by, or one that is said (IPv4), and a port drawn at random. */
  | {
      readonly kind: "translate";
      readonly address: string | undefined;
      readonly ports: readonly [first: number, last: number] | undefined;
    };

export interface NftRule {
  readonly kind: "rule";
  readonly chain: string;
  readonly matches: readonly NftMatch[];
  /** Whether the rule counts the packets that match. */
  readonly counter: boolean;
  readonly verdict: NftVerdict;
}

export interface NftElement {
  readonly kind: "element";
  readonly set: string;
  /** An address, a prefix or a number; of a concatenation, the name of an interface and an address with ` . ` between them. */
  readonly value: string;
  /** For people who list the table. */
  readonly comment?: string;
}

/** A table as a whole, without elements. */
export type NftFrame = readonly (NftSet | NftBaseChain | NftRule)[];

export type NftStatement =
  /** Makes the table anew, without elements, whatever there was. */
  | { readonly kind: "replaceTable"; readonly frame: NftFrame }
  /** The table must be there. */
  | { readonly kind: "deleteTable" }
  /** One that is there already stays. */
  | NftElementStatement;

export type NftElementStatement =
  | { readonly kind: "addElement"; readonly element: NftElement }
  /** The element must be there. */
  | { readonly kind: "deleteElement"; readonly element: NftElement };

/** Statements about one table that take effect together, or not at all. */
export interface NftTransaction {
  readonly table: NftTable;
  readonly statements: readonly NftStatement[];
}

/** `inet margay-nat`, as nft writes it. */
export function nftTableName({ family, name }: NftTable): string {
  return `${family} ${name}`;
}
