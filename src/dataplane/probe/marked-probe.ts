// SPDX-License-Identifier: Apache-2.0
import { closeSync, writeSync } from "node:fs";
import { type Family, type Ip, familyOf } from "../../net/ip.ts";
import type { Marker } from "../capture/probe-filter.ts";
import { addressFamily } from "../netlink/family.ts";
import { KernelError, isKernelError } from "../netlink/kernel-error.ts";
import {
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  bind,
  connect,
  socket,
} from "../netlink/syscalls.ts";
import { forbidFragments } from "./forbid-fragments.ts";
import { ICMP_PROTOCOLS, encodeEcho } from "./icmp-echo.ts";
import { sockaddrOf } from "./sockaddr.ts";

/** Of IP and UDP. */
const DATAGRAM_HEADER_BYTES: Readonly<Record<Family, number>> = { 4: 28, 6: 48 };

/** Sends packets that a {@link Marker} tells from all others; nobody may fragment them. */
export interface MarkedProbe extends Disposable {
  /** Sends the packet of the number, from 0 on. Throws `KernelError`, such as `ENETUNREACH` or `EMSGSIZE`. */
  send(attempt: number): void;
}

/** Opens it in the network namespace that the calling thread is in, which must have the marker's source address. Throws `KernelError`. */
export function openMarkedProbe(marker: Marker, packetBytes: number): MarkedProbe {
  const family = familyOf(marker.dst);
  switch (marker.kind) {
    case "icmp": {
      const { identifier, sequence } = marker;
      return open(marker, SOCK_RAW, ICMP_PROTOCOLS[family], 0, (fd, attempt) => {
        writeTwice(fd, encodeEcho({ identifier, sequence: sequence + attempt }, packetBytes, family));
      });
    }
    case "udp": {
      const payload = new Uint8Array(packetBytes - DATAGRAM_HEADER_BYTES[family]);
      return open(marker, SOCK_DGRAM, 0, marker.srcPort, (fd) => {
        writeTwice(fd, payload);
      });
    }
    case "tcp":
      return open(marker, SOCK_STREAM, 0, marker.srcPort, (fd, attempt) => {
        // The kernel repeats it by itself.
        if (attempt === 0) beginConnection(fd, marker.dst, marker.dstPort);
      });
  }
}

function open(
  marker: Marker,
  type: number,
  protocol: number,
  port: number,
  write: (fd: number, attempt: number) => void,
): MarkedProbe {
  const family = familyOf(marker.dst);
  const fd = socket(addressFamily(family), type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  try {
    forbidFragments(fd, family);
    bind(fd, sockaddrOf(marker.src, port));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  let isConnected = marker.kind === "tcp";
  return {
    send(attempt) {
      try {
        if (!isConnected) connect(fd, sockaddrOf(marker.dst, marker.kind === "udp" ? marker.dstPort : 0));
        isConnected = true;
        write(fd, attempt);
      } catch (error) {
        throw KernelError.from("send a probe", error);
      }
    },
    [Symbol.dispose]() {
      closeSync(fd);
    },
  };
}

/** What the kernel has heard of the last packet, such as that no way leads on, it tells the next call, and sends nothing then. */
function writeTwice(fd: number, bytes: Uint8Array): void {
  try {
    writeSync(fd, bytes);
  } catch {
    writeSync(fd, bytes);
  }
}

function beginConnection(fd: number, to: Ip, port: number): void {
  try {
    connect(fd, sockaddrOf(to, port));
  } catch (error) {
    if (!isKernelError(error, "EINPROGRESS")) throw error;
  }
}
