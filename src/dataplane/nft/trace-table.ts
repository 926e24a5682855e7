// SPDX-License-Identifier: Apache-2.0
// A table that has nftables trace certain packets, and nothing else (nft(8), "meta nftrace"). It belongs to the nft that makes it, and the kernel removes it
// however that ends (`flags owner`, Linux 5.12).
import type { Family } from "../../net/ip.ts";
import type { FieldTest } from "../capture/filter.ts";
import type { PacketPattern } from "../capture/probe-filter.ts";

/** Before everybody else's chains, and before defragmentation (NF_IP_PRI_CONNTRACK_DEFRAG, -400). */
const PRIORITY = -450;
/** So that no error in a pattern can make a node trace whatever passes it. */
const MOST_PER_SECOND = 20;
const PROTOCOLS: Readonly<Record<Family, string>> = { 4: "ipv4", 6: "ipv6" };

/** What the rules for packets around others say of themselves where a packet comes to them. */
export const AROUND = "around";

/** The commands for `nft -i`, one a line. */
export function renderTraceTable(name: string, packets: readonly PacketPattern[]): string {
  const table = `inet ${name}`;
  const chain = (hook: string): readonly string[] => [
    `add chain ${table} ${hook} { type filter hook ${hook} priority ${PRIORITY}; }`,
    ...packets.map((packet) => `add rule ${table} ${hook} ${renderPacket(packet)}`),
  ];
  const lines = [`add table ${table} { flags owner; }`, ...chain("prerouting"), ...chain("output")];
  return lines.join("\n");
}

function renderPacket({ family, isAround, fields }: PacketPattern): string {
  const match = [`meta nfproto ${PROTOCOLS[family]}`, ...fields.map(renderField)].join(" ");
  const comment = isAround ? ` comment "${AROUND}"` : "";
  return `${match} limit rate ${MOST_PER_SECOND}/second meta nftrace set 1${comment}`;
}

/** A raw payload expression: `@nh,` and the offset and length in bits. */
function renderField({ offset, bytes, mask, value }: FieldTest): string {
  const field = `@nh,${offset * 8},${bytes * 8}`;
  return mask === undefined ? `${field} ${value}` : `${field} & ${mask} == ${value}`;
}
