// SPDX-License-Identifier: Apache-2.0
// Answers in the text that `uapi-request.ts` asks in. They hold secrets, and what is secret stands in no error.
import { type Cidr, cidrOf, parseInterfaceAddress } from "../../net/cidr.ts";
import { parseIp } from "../../net/ip.ts";
import { type WireguardPublicKey, wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";
import type { WireguardDevice, WireguardPeer } from "../netlink/wireguard-device.ts";
import type { WireguardEndpoint } from "../netlink/wireguard-message.ts";
import { publicKeyOf } from "./key-pair.ts";

/** A whole answer, and nothing after it. */
export function isUapiAnswer(text: string): boolean {
  return /(^|\n)errno=-?\d+\n\n$/.test(text);
}

/** What an answer says; a positive `errno` is a refusal, and all else is as nothing then. */
export interface UapiAnswer {
  readonly errno: number;
  /** The interface's index is not told. */
  readonly device: Omit<WireguardDevice, "ifIndex">;
}

/** Reads an answer; throws `SyntaxError` for anything that is not expected, with the key's name alone. */
export function parseUapiAnswer(text: string): UapiAnswer {
  if (!isUapiAnswer(text)) throw new SyntaxError("Cannot read WireGuard's answer: it is not complete");
  const reading = new Reading();
  for (const line of text.trimEnd().split("\n")) {
    const [, key = "", value = ""] = /^([a-z_]+)=(.*)$/.exec(line) ?? [];
    if (!reading.take(key, value))
      throw new SyntaxError(`Cannot read WireGuard's answer: what it says of "${key}" is not understood`);
  }
  return reading.answer();
}

interface Handshake {
  seconds: number;
  nanoseconds: number;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };
type OpenPeer = Mutable<Omit<WireguardPeer, "allowedIps">> & { allowedIps: Cidr[]; handshake: Handshake };

class Reading {
  #errno: number | undefined;
  #publicKey: WireguardPublicKey | undefined;
  #listenPort = 0;
  #fwmark = 0;
  readonly #peers: OpenPeer[] = [];

  /** Whether the line is what may stand there. */
  take(key: string, value: string): boolean {
    if (this.#errno !== undefined) return false;
    try {
      const peer = this.#peers.at(-1);
      return this.#takeDevice(key, value) || (peer !== undefined && takePeer(peer, key, value));
    } catch {
      // Neither the text nor the error's cause may tell a secret.
      return false;
    }
  }

  answer(): UapiAnswer {
    const peers = this.#peers.map(closePeer);
    const publicKey = this.#publicKey === undefined ? {} : { publicKey: this.#publicKey };
    const device = { ...publicKey, listenPort: this.#listenPort, fwmark: this.#fwmark, peers };
    return { errno: this.#errno ?? 0, device };
  }

  #takeDevice(key: string, value: string): boolean {
    switch (key) {
      case "private_key":
        this.#publicKey = publicKeyOf(octetsOf(value));
        return true;
      case "listen_port":
        this.#listenPort = numberOf(value);
        return true;
      case "fwmark":
        this.#fwmark = numberOf(value);
        return true;
      case "public_key":
        this.#peers.push(openPeer(wireguardPublicKeyFromBytes(octetsOf(value))));
        return true;
      case "errno":
        // Some say EADDRINUSE as -98.
        this.#errno = Math.abs(Number(value));
        return true;
      default:
        return false;
    }
  }
}

function openPeer(publicKey: WireguardPublicKey): OpenPeer {
  const handshake = { seconds: 0, nanoseconds: 0 };
  return { publicKey, allowedIps: [], keepaliveSec: 0, rxBytes: 0, txBytes: 0, handshake };
}

function takePeer(peer: OpenPeer, key: string, value: string): boolean {
  switch (key) {
    case "endpoint":
      peer.endpoint = parseEndpoint(value);
      return true;
    case "last_handshake_time_sec":
      peer.handshake.seconds = numberOf(value);
      return true;
    case "last_handshake_time_nsec":
      peer.handshake.nanoseconds = numberOf(value);
      return true;
    case "rx_bytes":
      peer.rxBytes = numberOf(value);
      return true;
    case "tx_bytes":
      peer.txBytes = numberOf(value);
      return true;
    case "persistent_keepalive_interval":
      peer.keepaliveSec = numberOf(value);
      return true;
    case "allowed_ip":
      peer.allowedIps.push(allowedIpOf(value));
      return true;
    case "protocol_version":
      return value === "1";
    case "preshared_key":
      return octetsOf(value).length > 0;
    default:
      return false;
  }
}

/** No handshake is told as one at 0. */
function closePeer({ handshake: { seconds, nanoseconds }, ...peer }: OpenPeer): WireguardPeer {
  if (seconds === 0 && nanoseconds === 0) return peer;
  return { ...peer, lastHandshakeMs: seconds * 1000 + Math.floor(nanoseconds / 1_000_000) };
}

function allowedIpOf(text: string): Cidr {
  const { ip, prefixLength } = parseInterfaceAddress(text);
  return cidrOf(ip, prefixLength);
}

function parseEndpoint(text: string): WireguardEndpoint {
  const [, six, four, port = ""] = /^(?:\[(.+)\]|([^[\]:]+)):(\d+)$/.exec(text) ?? [];
  return { ip: parseIp(six ?? four ?? ""), port: numberOf(port) };
}

function numberOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new SyntaxError("Cannot read number: want digits");
  return Number(text);
}

function octetsOf(text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new SyntaxError("Cannot read key: want 32 octets in hex");
  return Uint8Array.from(Buffer.from(text, "hex"));
}
