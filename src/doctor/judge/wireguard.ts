// SPDX-License-Identifier: Apache-2.0
import type { WireguardPeer } from "../../dataplane/netlink/wireguard-device.ts";
import { WIREGUARD_DEVICE } from "../../desired/wanted.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { KernelSeen } from "../observation.ts";

/**
 * Octets of a handshake's first message (the WireGuard paper, section 5.4.2). It counts as sent, and another goes out after five seconds without an answer: of one
 * alone, the answer may be under way.
 */
const INITIATION_BYTES = 148;

/** Peers with which no session has ever come about. Whether one that was there still carries anything, the ways to other nodes tell. */
export function judgeHandshakes({ wireguardPeers: known }: KernelSeen): readonly Check[] {
  if (known === undefined) return [];
  const all = subject("WireGuard handshake", WIREGUARD_DEVICE);
  if (known.kind === "unknown") return [all.skipped(known.reason)];
  const met = known.value.filter(({ lastHandshakeMs }) => lastHandshakeMs !== undefined);
  return orWell(
    known.value.filter(isUnanswered).map(judgeUnanswered),
    all.ok(`${met.length} of ${known.value.length} peers have answered, and nothing waits for the others`),
  );
}

function isUnanswered({ lastHandshakeMs, txBytes }: WireguardPeer): boolean {
  return lastHandshakeMs === undefined && txBytes >= 2 * INITIATION_BYTES;
}

function judgeUnanswered({ publicKey, endpoint, txBytes, rxBytes }: WireguardPeer): Check {
  const came = rxBytes === 0 ? "nothing has come from there" : `${rxBytes} octets have come from there`;
  return subject("WireGuard handshake", endpoint?.ip ?? publicKey).warning(
    `there was none since the peer is known, though ${txBytes} octets were sent for it: ${came}`,
    `have UDP port ${endpoint?.port ?? "of WireGuard"} pass between the two nodes, and see whether the other's agent runs and is ready ("margay node status" there); the peer's key is ${publicKey}`,
  );
}
