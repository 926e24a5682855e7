// SPDX-License-Identifier: Apache-2.0
import { type Socket, createSocket } from "node:dgram";
import { randomBytes } from "node:crypto";
import { openNetns } from "../dataplane/netlink/netns.ts";
import type { Family } from "../net/ip.ts";

/** Answers probes from one network namespace, and sends its own; closed on disposal. */
export interface Prober extends Disposable {
  /** The UDP port on which it takes probes, on every address that the namespace has of the family. */
  readonly port: number;
  /** Sends a probe; who sent it, and what came of it, is told to the observer. One that cannot be sent counts as lost. */
  send(id: number, to: { readonly address: string; readonly port: number }): void;
}

export interface ProbeObserver {
  /** The probe reached its receiver, which saw it come from `source`. */
  arrived(id: number, source: string): void;
  /** The receiver's answer reached the sender. */
  answered(id: number): void;
}

/** Probes of other programs, or of an earlier check, must not count. */
const NONCE_BYTES = 8;
const REQUEST = "?";
const ANSWER = "!";

/** What all probers of one check share. */
export function createProbeNonce(): string {
  return randomBytes(NONCE_BYTES).toString("hex");
}

export interface ProberOptions {
  readonly netnsPath: string;
  readonly family: Family;
  /** What all probers of one check share. */
  readonly nonce: string;
}

/** Opens a socket inside the namespace; the process itself stays where it is. */
export function openProber({ netnsPath, family, nonce }: ProberOptions, observer: ProbeObserver): Prober {
  using netns = openNetns(netnsPath);
  const socket = netns.run(() => openSocket(family));
  // Such as "connection refused" from a receiver that is gone; probes are repeated anyway.
  socket.on("error", () => undefined);
  socket.on("message", (message, { address, port }) => {
    const [theirs, kind, id = ""] = message.toString("latin1").split(" ");
    if (theirs !== nonce) return;
    if (kind === ANSWER) {
      observer.answered(Number(id));
    } else {
      observer.arrived(Number(id), address);
      transmit(socket, `${nonce} ${ANSWER} ${id}`, { address, port });
    }
  });
  return {
    port: socket.address().port,
    send(id, to) {
      transmit(socket, `${nonce} ${REQUEST} ${id}`, to);
    },
    [Symbol.dispose]() {
      socket.close();
    },
  };
}

/**
 * The system's socket is made in `bind`, as soon as the address has been looked up; a lookup that answers at once makes
 * that happen before this function returns, and so inside the namespace.
 */
function openSocket(family: Family): Socket {
  const socket = createSocket({
    type: `udp${family}`,
    ipv6Only: family === 6,
    lookup: (hostname, _options, callback) => {
      callback(null, hostname, family);
    },
  });
  socket.bind({ port: 0, address: family === 4 ? "0.0.0.0" : "::", exclusive: true });
  return socket;
}

function transmit(
  socket: Socket,
  text: string,
  to: { readonly address: string; readonly port: number },
): void {
  socket.send(text, to.port, to.address, () => undefined);
}
