// SPDX-License-Identifier: Apache-2.0
import { randomInt } from "node:crypto";
import { type Marker, SEQUENCE_ATTEMPTS } from "../dataplane/capture/probe-filter.ts";
import { KernelError, isKernelError } from "../dataplane/netlink/kernel-error.ts";
import type { Netns } from "../dataplane/netlink/netns.ts";
import { type MarkedProbe, openMarkedProbe } from "../dataplane/probe/marked-probe.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import type { Probe } from "../trace/observation.ts";

export interface ProbeRequest {
  readonly kind: "icmp" | "udp" | "tcp";
  /** Both of one family. */
  readonly src: Ip;
  readonly dst: Ip;
  /** Octets, with the IP header; of no meaning to TCP. */
  readonly packetBytes: number;
  /** The destination's; of UDP and TCP. */
  readonly port: number;
}

/** Sends one probe a few times over, each time marked so that it is known again. */
export interface Sender extends Disposable {
  readonly marker: Marker;
  /** The probe of the number, from 0 on, as it is seen. */
  probe(attempt: number): Probe;
  /** Sends it; gives the name of the error where the kernel does not take it. */
  send(attempt: number): string | undefined;
}

/** Of the ports that nobody listens on for long (RFC 6335 section 6). */
const [FIRST_PORT, LAST_PORT] = [49_152, 65_535];
/** How many ports are tried until one is free. */
const PORT_ATTEMPTS = 8;
/** A SYN as Linux sends it: IP, TCP and 20 octets of options. */
const SYN_BYTES: Readonly<Record<Family, number>> = { 4: 60, 6: 80 };

/** Opens it in the source's network namespace. That the source lacks the address is told by sending. */
export function openSender(netns: Netns, request: ProbeRequest): Sender {
  const { packetBytes } = request;
  for (let attempt = 1; ; attempt++) {
    const marker = createMarker(request);
    try {
      const socket = netns.run(() => openMarkedProbe(marker, packetBytes));
      return createSender(request, marker, socket);
    } catch (error) {
      if (isKernelError(error, "EADDRINUSE") && attempt < PORT_ATTEMPTS) continue;
      if (isKernelError(error, "EADDRNOTAVAIL")) return createSender(request, marker, error);
      throw error;
    }
  }
}

function createMarker({ kind, src, dst, port }: ProbeRequest): Marker {
  if (kind !== "icmp")
    return { kind, src, dst, srcPort: randomInt(FIRST_PORT, LAST_PORT + 1), dstPort: port };
  const sequence = randomInt(0x1_0000 / SEQUENCE_ATTEMPTS) * SEQUENCE_ATTEMPTS;
  return { kind, src, dst, identifier: randomInt(0x1_0000), sequence };
}

function createSender(
  { kind, packetBytes }: ProbeRequest,
  marker: Marker,
  socket: MarkedProbe | KernelError,
): Sender {
  return {
    marker,
    probe(attempt) {
      if (marker.kind === "icmp") return { ...marker, sequence: marker.sequence + attempt, packetBytes };
      return { ...marker, packetBytes: kind === "tcp" ? SYN_BYTES[familyOf(marker.dst)] : packetBytes };
    },
    send(attempt) {
      try {
        if (socket instanceof KernelError) throw socket;
        socket.send(attempt);
        return undefined;
      } catch (error) {
        if (error instanceof KernelError) return error.code;
        throw error;
      }
    },
    [Symbol.dispose]() {
      if (!(socket instanceof KernelError)) socket[Symbol.dispose]();
    },
  };
}
