// SPDX-License-Identifier: Apache-2.0
import { AttributeDecoder } from "./attribute.ts";
import { getI32, getU64, putU32 } from "./integer.ts";
import { type NetlinkMessage, NLM_F_DUMP, checkHeader } from "./message.ts";
import type { Dump } from "./request.ts";

// linux/rtnetlink.h
const RTM_NEWSTATS = 92;
const RTM_GETSTATS = 94;

// enum of linux/if_link.h
const IFLA_STATS_LINK_64 = 1;
// #define IFLA_STATS_FILTER_BIT(ATTR) (1 << (ATTR - 1))
const LINK_64_FILTER = 1 << (IFLA_STATS_LINK_64 - 1);

// struct if_stats_msg { __u8 family, pad1; __u16 pad2; __u32 ifindex, filter_mask; }
const IF_STATS_MSG_LENGTH = 12;

/** What has passed an interface since it was made; exact up to 2 ** 53. */
export interface LinkCounters {
  readonly ifIndex: number;
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
}

/** The counters of all interfaces, and nothing else of them (since Linux 4.7). */
export const listLinkCounters: Dump<LinkCounters> = {
  request: {
    description: "list counters of links",
    type: RTM_GETSTATS,
    flags: NLM_F_DUMP,
    body: ifStatsMsg(),
  },
  decode: (message) => (message.type === RTM_NEWSTATS ? decodeLinkCounters(message) : undefined),
};

/** `undefined` for a message without counters. */
export function decodeLinkCounters({ body }: NetlinkMessage): LinkCounters | undefined {
  checkHeader(body, IF_STATS_MSG_LENGTH, "if_stats_msg");
  const attributes = new AttributeDecoder(body, IF_STATS_MSG_LENGTH);
  while (attributes.next()) {
    if (attributes.type !== IFLA_STATS_LINK_64) continue;
    // struct rtnl_link_stats64 { __u64 rx_packets, tx_packets, rx_bytes, tx_bytes, …; }
    const numbers = attributes.bytes();
    return {
      ifIndex: getI32(body, 4),
      rxPackets: getU64(numbers, 0),
      txPackets: getU64(numbers, 8),
      rxBytes: getU64(numbers, 16),
      txBytes: getU64(numbers, 24),
    };
  }
  return undefined;
}

function ifStatsMsg(): Uint8Array {
  const header = new Uint8Array(IF_STATS_MSG_LENGTH);
  putU32(header, 8, LINK_64_FILTER);
  return header;
}
