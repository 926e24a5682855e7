// SPDX-License-Identifier: Apache-2.0
// The text that a WireGuard outside the kernel speaks on its socket: wireguard.com/xplatform, "Configuration Protocol". One `key=value` a
// line, keys of 32 octets in hex, an empty line at the end. What is secret stands in no error.
import { familyOf } from "../../net/ip.ts";
import { wireguardPublicKeyToBytes } from "../../net/wireguard-key.ts";
import type { PeerChange, WireguardChange } from "../netlink/wireguard-change.ts";
import type { WireguardEndpoint } from "../netlink/wireguard-message.ts";

/** Asks for everything, the private key among it. */
export const UAPI_GET = "get=1\n\n";

export function encodeUapiChange(change: WireguardChange): string {
  const { privateKey, listenPort, fwmark, replacePeers, peers = [] } = change;
  const lines = [
    "set=1",
    ...(privateKey === undefined ? [] : [`private_key=${hexOf(privateKey)}`]),
    ...(listenPort === undefined ? [] : [`listen_port=${listenPort}`]),
    ...(fwmark === undefined ? [] : [`fwmark=${fwmark}`]),
    ...(replacePeers === true ? ["replace_peers=true"] : []),
    ...peers.flatMap(peerLines),
  ];
  return `${lines.join("\n")}\n\n`;
}

function peerLines(peer: PeerChange): readonly string[] {
  const name = `public_key=${hexOf(wireguardPublicKeyToBytes(peer.publicKey))}`;
  if (peer.kind === "remove") return [name, "remove=true"];
  const { endpoint, keepaliveSec, allowedIps = [], replaceAllowedIps } = peer;
  return [
    name,
    ...(endpoint === undefined ? [] : [`endpoint=${endpointText(endpoint)}`]),
    ...(keepaliveSec === undefined ? [] : [`persistent_keepalive_interval=${keepaliveSec}`]),
    ...(replaceAllowedIps === true ? ["replace_allowed_ips=true"] : []),
    ...allowedIps.map((cidr) => `allowed_ip=${cidr}`),
  ];
}

function endpointText({ ip, port }: WireguardEndpoint): string {
  return familyOf(ip) === 4 ? `${ip}:${port}` : `[${ip}]:${port}`;
}

function hexOf(octets: Uint8Array): string {
  if (octets.length !== 32) throw new RangeError(`Cannot encode key: want 32 octets, have ${octets.length}`);
  return Buffer.from(octets).toString("hex");
}
