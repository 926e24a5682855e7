// SPDX-License-Identifier: Apache-2.0
// Packets made by hand, for what no socket of Node's sends.
import { ipToBytes } from "../../src/net/ip.ts";
import type { Ipv4 } from "../../src/net/ipv4.ts";
import { type Mac, macToBytes } from "../../src/net/mac.ts";

export interface Datagram {
  readonly from: Ipv4;
  readonly to: Ipv4;
  readonly port: number;
  readonly text: string;
}

/** An IPv4 packet with a UDP datagram (RFC 791, RFC 768), whose checksum is left out. */
export function udpPacket({ from, to, port, text }: Datagram): Buffer {
  const payload = Buffer.from(text);
  const packet = Buffer.alloc(28 + payload.length);
  packet.set([0x45, 0]);
  packet.writeUInt16BE(packet.length, 2);
  packet.set([64, 17], 8);
  packet.set(ipToBytes(from), 12);
  packet.set(ipToBytes(to), 16);
  packet.writeUInt16BE(checksum(packet.subarray(0, 20)), 10);
  packet.writeUInt16BE(port, 20);
  packet.writeUInt16BE(port, 22);
  packet.writeUInt16BE(8 + payload.length, 24);
  payload.copy(packet, 28);
  return packet;
}

/** What follows the outer UDP header (RFC 7348 section 5): VXLAN's own, an Ethernet header, the packet. */
export function vxlanPayload(vni: number, to: Mac, packet: Buffer): Buffer {
  const header = Buffer.alloc(8 + 14);
  header.set([0x08]);
  header.writeUIntBE(vni, 4, 3);
  header.set(macToBytes(to), 8);
  header.set([0x02, 0, 0, 0, 0, 0x99], 14);
  header.writeUInt16BE(0x0800, 20);
  return Buffer.concat([header, packet]);
}

/** RFC 1071, of an even number of octets. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
