// SPDX-License-Identifier: Apache-2.0
// Run by tests inside a namespace: passes every frame on from one interface to the other, both ways, as it is in memory. What its sender has
// left to the network card stays undone, as with a card that does not look inside tunnels.
import { readFileSync, readSync, writeSync } from "node:fs";
import { putU16, putU16be, putU32 } from "../../src/dataplane/netlink/integer.ts";
import {
  SOCK_NONBLOCK,
  SOCK_RAW,
  bind,
  setsockopt,
  socket,
  whenReadable,
} from "../../src/dataplane/netlink/syscalls.ts";

// linux/if_packet.h, linux/if_ether.h
const AF_PACKET = 17;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 3;

/** Longer than any frame, also one that is to be cut into segments. */
const buffer = new Uint8Array(128 * 1024);

function openPacketSocket(ifName: string): number {
  const fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  // struct sockaddr_ll { unsigned short sll_family; __be16 sll_protocol; int sll_ifindex; … } of 20 bytes
  const address = new Uint8Array(20);
  putU16(address, 0, AF_PACKET);
  putU16be(address, 2, ETH_P_ALL);
  putU32(address, 4, Number(readFileSync(`/sys/class/net/${ifName}/ifindex`, "utf8")));
  bind(fd, address);
  return fd;
}

async function pass(from: number, to: number): Promise<never> {
  for (;;) {
    await whenReadable(from);
    try {
      for (;;) writeSync(to, buffer, 0, readSync(from, buffer));
    } catch {
      // Nothing more to read, or a frame that does not fit: cards drop those too.
    }
  }
}

const [left = "", right = ""] = process.argv.slice(2);
const [one, other] = [openPacketSocket(left), openPacketSocket(right)];
console.log("ready");
await Promise.all([pass(one, other), pass(other, one)]);
