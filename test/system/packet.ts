// SPDX-License-Identifier: Apache-2.0
// Packets made by hand, for what no socket of Node's sends.
import { ipToBytes } from "../../src/net/ip.ts";
import type { Ipv4 } from "../../src/net/ipv4.ts";
import type { Ipv6 } from "../../src/net/ipv6.ts";
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

/** An IPv6 packet (RFC 8200 section 3). */
export function ipv6Packet(from: Ipv6, to: Ipv6, nextHeader: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.set([0x60, 0]);
  header.writeUInt16BE(payload.length, 4);
  header.set([nextHeader, 64], 6);
  return Buffer.concat([header, ipToBytes(from), ipToBytes(to), payload]);
}

/** The UDP datagram of an IPv6 packet, with its checksum (RFC 768, RFC 8200 section 8.1). */
export function udpOverIpv6(from: Ipv6, to: Ipv6, port: number, payload: Buffer): Buffer {
  const length = 8 + payload.length;
  const datagram = Buffer.alloc(length);
  datagram.writeUInt16BE(port, 0);
  datagram.writeUInt16BE(port, 2);
  datagram.writeUInt16BE(length, 4);
  payload.copy(datagram, 8);
  const addresses = Buffer.concat([ipToBytes(from), ipToBytes(to)]);
  datagram.writeUInt16BE(udpChecksum(Buffer.concat([udpPseudoHeader(addresses, length), datagram])), 6);
  return datagram;
}

/** What precedes a UDP datagram of IPv6 where its checksum is computed (RFC 8200 section 8.1). */
export function udpPseudoHeader(addresses: Uint8Array, length: number): Buffer {
  const rest = Buffer.from([0, 0, 0, 0, 0, 0, 0, 17]);
  rest.writeUInt32BE(length);
  return Buffer.concat([addresses, rest]);
}

/** Zero would say that there is none. */
export function udpChecksum(bytes: Buffer): number {
  const sum = checksum(bytes);
  return sum === 0 ? 0xffff : sum;
}

/** A part of an IPv6 packet's payload (RFC 8200 section 4.5), `offset` octets into it; all but the last are multiples of 8 octets long. */
export function ipv6Fragment(nextHeader: number, offset: number, isLast: boolean, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.set([nextHeader]);
  header.writeUInt16BE(offset | Number(!isLast), 2);
  header.writeUInt32BE(0x0badcafe, 4);
  return Buffer.concat([header, payload]);
}

/** What follows the outer UDP header (RFC 7348 section 5): VXLAN's own, an Ethernet header, the packet. */
export function vxlanPayload(vni: number, to: Mac, packet: Buffer): Buffer {
  const header = Buffer.alloc(8 + 14);
  header.set([0x08]);
  header.writeUIntBE(vni, 4, 3);
  header.set(macToBytes(to), 8);
  header.set([0x02, 0, 0, 0, 0, 0x99], 14);
  header.writeUInt16BE((packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800, 20);
  return Buffer.concat([header, packet]);
}

/** An Ethernet frame. */
export function ethernetFrame(to: Mac, from: Mac, type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(14);
  header.set(macToBytes(to));
  header.set(macToBytes(from), 6);
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, payload]);
}

/** RFC 826: `sender` is said to be at `mac`, as a request (1) or an answer (2). */
export function arpPacket(operation: 1 | 2, sender: Ipv4, mac: Mac, target: Ipv4): Buffer {
  const packet = Buffer.alloc(28);
  packet.set([0, 1, 8, 0, 6, 4, 0, operation]);
  packet.set(macToBytes(mac), 8);
  packet.set(ipToBytes(sender), 14);
  packet.set(ipToBytes(target), 24);
  return packet;
}

/** RFC 4861 section 4.4: an unasked neighbour advertisement to all nodes, that overrides what was known. */
export function neighbourAdvertisement(from: Ipv6, target: Ipv6, mac: Mac): Buffer {
  const all = Buffer.from("ff020000000000000000000000000001", "hex");
  const message = Buffer.alloc(32);
  message.set([136]);
  // Override (O).
  message.set([0x20], 4);
  message.set(ipToBytes(target), 8);
  // Option 2, target link-layer address, of one unit of 8 octets.
  message.set([2, 1], 24);
  message.set(macToBytes(mac), 26);
  const addresses = Buffer.concat([ipToBytes(from), all]);
  // RFC 8200 section 8.1: the pseudo-header.
  const pseudo = Buffer.concat([addresses, Buffer.from([0, 0, 0, message.length, 0, 0, 0, 58])]);
  message.writeUInt16BE(checksum(Buffer.concat([pseudo, message])), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255]);
  return Buffer.concat([header, addresses, message]);
}

/** RFC 1071 */
export function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at++) sum += (bytes[at] ?? 0) << (at % 2 === 0 ? 8 : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
