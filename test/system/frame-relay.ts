// SPDX-License-Identifier: Apache-2.0
// Run by tests inside a namespace: passes every frame on from one interface to the other, both ways, as it is in memory. What its sender has
// left to the network card stays undone, as with a card that does not look inside tunnels, but for UDP over IPv6, which is what VXLAN sends outside.
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
import { checksum, udpChecksum, udpPseudoHeader } from "./packet.ts";

// linux/if_packet.h, linux/if_ether.h
const AF_PACKET = 17;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const ETH_P_ALL = 3;

/** Longer than any frame, also one that is to be cut into segments. */
const buffer = Buffer.alloc(128 * 1024);

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
      for (;;) writeSync(to, finish(buffer.subarray(0, readSync(from, buffer))));
    } catch {
      // Nothing more to read, or a frame that does not fit: cards drop those too.
    }
  }
}

/** Completes the checksum of a UDP datagram right behind the IPv6 header, if that is left to the card: it holds the sum of the pseudo-header then. */
function finish(frame: Buffer): Buffer {
  // Behind 14 octets of Ethernet: RFC 8200 section 3, and RFC 768 behind 40 of that.
  if (frame.length < 62 || frame.readUInt16BE(12) !== 0x86dd || frame[20] !== 17) return frame;
  const datagram = frame.subarray(54, 54 + frame.readUInt16BE(18));
  const pseudo = udpPseudoHeader(frame.subarray(22, 54), datagram.length);
  if (datagram.readUInt16BE(6) === (~checksum(pseudo) & 0xffff))
    datagram.writeUInt16BE(udpChecksum(datagram), 6);
  return frame;
}

const [left = "", right = ""] = process.argv.slice(2);
const [one, other] = [openPacketSocket(left), openPacketSocket(right)];
console.log("ready");
await Promise.all([pass(one, other), pass(other, one)]);
