// SPDX-License-Identifier: Apache-2.0
// Run by tests inside a namespace: `<interface> <hex>…` sends each as an Ethernet frame, as it is.
import { readFileSync, writeSync } from "node:fs";
import { putU16, putU16be, putU32 } from "../../src/dataplane/netlink/integer.ts";
import { SOCK_RAW, bind, socket } from "../../src/dataplane/netlink/syscalls.ts";

// linux/if_packet.h, linux/if_ether.h
const AF_PACKET = 17;
const ETH_P_ALL = 3;

const [ifName = "", ...frames] = process.argv.slice(2);
const fd = socket(AF_PACKET, SOCK_RAW, 0);
// struct sockaddr_ll { unsigned short sll_family; __be16 sll_protocol; int sll_ifindex; … } of 20 bytes
const address = new Uint8Array(20);
putU16(address, 0, AF_PACKET);
putU16be(address, 2, ETH_P_ALL);
putU32(address, 4, Number(readFileSync(`/sys/class/net/${ifName}/ifindex`, "utf8")));
bind(fd, address);
for (const frame of frames) writeSync(fd, Buffer.from(frame, "hex"));
