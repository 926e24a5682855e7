// SPDX-License-Identifier: Apache-2.0
import { randomInt } from "node:crypto";
import { type Marker, SEQUENCE_ATTEMPTS } from "../dataplane/capture/probe-filter.ts";
import { KernelError } from "../dataplane/netlink/kernel-error.ts";
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
  /** Sends it once more, as often as wanted, whether the kernel takes it or not; what comes of it is not told from other attempts. */
  resend(): void;
}

/** Of the ports that nobody listens on for long (RFC 6335 section 6). */
const [FIRST_PORT, LAST_PORT] = [49_152, 65_535];
/** How many ports are tried until one is free. */
const PORT_ATTEMPTS = 8;
/** A SYN as Linux sends it: IP, TCP and 20 octets of options. */
const SYN_BYTES: Readonly<Record<Family, number>> = { 4: 60, 6: 80 };

/** Opens it in the source's network namespace. That the source lacks the address is told by sending. */
export function openSender(netns: Netns, request: ProbeRequest): Sender {
  for (let attempt = 1; ; attempt++) {
    const marker = createMarker(request);
    const open = (): MarkedProbe | KernelError =>
      errorOr(() => netns.run(() => openMarkedProbe(marker, request.packetBytes)));
    const socket = open();
    if (!(socket instanceof KernelError) || socket.code === "EADDRNOTAVAIL")
      return new MarkedSender(request, marker, socket, open);
    if (socket.code !== "EADDRINUSE" || attempt === PORT_ATTEMPTS) throw socket;
  }
}

function errorOr<T>(work: () => T): T | KernelError {
  try {
    return work();
  } catch (error) {
    if (error instanceof KernelError) return error;
    throw error;
  }
}

function createMarker({ kind, src, dst, port }: ProbeRequest): Marker {
  if (kind !== "icmp")
    return { kind, src, dst, srcPort: randomInt(FIRST_PORT, LAST_PORT + 1), dstPort: port };
  const sequence = randomInt(0x1_0000 / SEQUENCE_ATTEMPTS) * SEQUENCE_ATTEMPTS;
  return { kind, src, dst, identifier: randomInt(0x1_0000), sequence };
}

class MarkedSender implements Sender {
  readonly marker: Marker;
  readonly #packetBytes: number;
  readonly #open: () => MarkedProbe | KernelError;
  #socket: MarkedProbe | KernelError;

  constructor(
    { packetBytes }: ProbeRequest,
    marker: Marker,
    socket: MarkedProbe | KernelError,
    open: () => MarkedProbe | KernelError,
  ) {
    this.marker = marker;
    this.#packetBytes = marker.kind === "tcp" ? SYN_BYTES[familyOf(marker.dst)] : packetBytes;
    this.#socket = socket;
    this.#open = open;
  }

  probe(attempt: number): Probe {
    const { marker } = this;
    const packetBytes = this.#packetBytes;
    return marker.kind === "icmp"
      ? { ...marker, sequence: marker.sequence + attempt, packetBytes }
      : { ...marker, packetBytes };
  }

  send(attempt: number): string | undefined {
    const isTcp = this.marker.kind === "tcp";
    // The kernel repeats a SYN at ever longer intervals, of which each may be over before anybody looks; that of a new socket leaves at once.
    if (isTcp && attempt > 0) this.#reopen();
    const socket = this.#socket;
    if (socket instanceof KernelError) return socket.code;
    const failed = errorOr(() => {
      socket.send(isTcp ? 0 : attempt);
    });
    return failed?.code;
  }

  resend(): void {
    this.send(SEQUENCE_ATTEMPTS - 1);
  }

  #reopen(): void {
    this[Symbol.dispose]();
    this.#socket = this.#open();
  }

  [Symbol.dispose](): void {
    if (!(this.#socket instanceof KernelError)) this.#socket[Symbol.dispose]();
  }
}
