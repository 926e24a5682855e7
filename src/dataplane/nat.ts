// SPDX-License-Identifier: Apache-2.0
// Outgoing translation (RFC 3022): packets from pools that ask for it, to what is in no pool, leave with an address of the node.
import {
  NAT_TABLE_KEY,
  type WantedNat,
  type WantedNatElement,
  type WantedNatTable,
  natElementKey,
} from "../desired/wanted-tables.ts";
import { type Cidr, cidrAddress, cidrFamily, hostCidr, isHostCidr } from "../net/cidr.ts";
import { FAMILIES, type Family, familyOf, parseIp } from "../net/ip.ts";
import type { NftElement, NftFrame, NftMatch, NftRule, NftSet } from "./nft/statement.ts";
import { Ruleset, type RulesetForm } from "./ruleset.ts";

const CHAIN = "outgoing";
/** `NF_IP_PRI_NAT_SRC` (linux/netfilter_ipv4.h). */
const PRIORITY = 100;
/** `IPPROTO_TCP`, `IPPROTO_UDP` (linux/in.h): what has ports. */
const WITH_PORTS = ["6", "17"];

/** One rule for each family, and two more where ports are said. It sees the first packet of each connection; the others go the same way. */
export function natFrame({ address, ports }: WantedNatTable): NftFrame {
  return [
    ...FAMILIES.flatMap(sets),
    { kind: "chain", name: CHAIN, type: "nat", hook: "postrouting", priority: PRIORITY },
    ...FAMILIES.flatMap((family) => rules(family, { address: family === 4 ? address : undefined, ports })),
  ];
}

function sets(family: Family): readonly NftSet[] {
  const type = family === 4 ? "ipv4_addr" : "ipv6_addr";
  return [
    { kind: "set", name: setOf("translated", family), type, counter: false, interval: true },
    { kind: "set", name: setOf("pool", family), type, counter: false, interval: true },
    { kind: "set", name: setOf("host", family), type, counter: false, interval: false },
  ];
}

function rules(
  family: Family,
  { address, ports }: Pick<WantedNatTable, "address" | "ports">,
): readonly NftRule[] {
  const ip = family === 4 ? "ip" : "ip6";
  const matches: readonly NftMatch[] = [
    { field: `${ip} saddr`, isIn: true, set: setOf("translated", family) },
    { field: `${ip} daddr`, isIn: false, set: setOf("pool", family) },
    { field: `${ip} daddr`, isIn: false, set: setOf("host", family) },
  ];
  const rule = (more: readonly NftMatch[], range: WantedNatTable["ports"]): NftRule => ({
    kind: "rule",
    chain: CHAIN,
    matches: [...matches, ...more],
    counter: false,
    verdict: { kind: "translate", address, ports: range },
  });
  const protocols = ports === undefined ? [] : WITH_PORTS;
  return [...protocols.map((value) => rule([{ field: "meta l4proto", value }], ports)), rule([], undefined)];
}

const SETS: Readonly<Record<WantedNatElement["kind"], string>> = {
  translated: "translated",
  pool: "pools",
  host: "hosts",
};

function setOf(kind: WantedNatElement["kind"], family: Family): string {
  return `${SETS[kind]}${family}`;
}

const NAT: RulesetForm<WantedNat> = {
  kind: "nat",
  title: "outgoing translation",
  table: { family: "inet", name: "margay-nat" },
  tableKey: NAT_TABLE_KEY,
  write: (wanted) =>
    wanted.kind === "table" ? { kind: "table", frame: natFrame(wanted) } : elementOf(wanted),
  keyOf,
};

export type Nat = Ruleset<WantedNat>;

export function createNat(): Nat {
  return new Ruleset(NAT);
}

function elementOf(wanted: WantedNatElement): NftElement {
  const { kind } = wanted;
  if (kind === "host")
    return { kind: "element", set: setOf(kind, familyOf(wanted.address)), value: wanted.address };
  return { kind: "element", set: setOf(kind, cidrFamily(wanted.cidr)), value: valueOf(wanted.cidr) };
}

/** nft writes a prefix of one address without its length. */
function valueOf(cidr: Cidr): string {
  return isHostCidr(cidr) ? cidrAddress(cidr) : cidr;
}

function keyOf({ set, value }: NftElement): string {
  const kinds: readonly WantedNatElement["kind"][] = ["translated", "pool", "host"];
  const kind = kinds.find((candidate) => set.startsWith(SETS[candidate]));
  const isAlone = kind !== "host" && !value.includes("/");
  return natElementKey(kind ?? set, isAlone ? hostCidr(parseIp(value)) : value);
}
