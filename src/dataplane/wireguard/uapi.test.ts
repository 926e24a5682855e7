// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCidr } from "../../net/cidr.ts";
import { parseIp } from "../../net/ip.ts";
import { wireguardPublicKeyFromBytes } from "../../net/wireguard-key.ts";
import { generatePrivateKey, publicKeyOf } from "./key-pair.ts";
import { isUapiAnswer, parseUapiAnswer } from "./uapi-answer.ts";
import { encodeUapiChange } from "./uapi-request.ts";

const ONE = "01".repeat(32);
const TWO = "02".repeat(32);
const keyOf = (hex: string) => wireguardPublicKeyFromBytes(Buffer.from(hex, "hex"));

describe("a change as text", () => {
  it("has device and peers in their order", () => {
    const text = encodeUapiChange({
      privateKey: Buffer.from(ONE, "hex"),
      listenPort: 51820,
      fwmark: 0x100000,
      replacePeers: true,
      peers: [
        {
          kind: "set",
          publicKey: keyOf(TWO),
          endpoint: { ip: parseIp("192.168.0.102"), port: 51820 },
          keepaliveSec: 25,
          replaceAllowedIps: true,
          allowedIps: [parseCidr("10.1.2.0/26"), parseCidr("fd00::/122")],
        },
        { kind: "set", publicKey: keyOf(ONE), endpoint: { ip: parseIp("fd00::1"), port: 1 } },
        { kind: "remove", publicKey: keyOf(TWO) },
      ],
    });
    assert.deepEqual(text.split("\n"), [
      "set=1",
      `private_key=${ONE}`,
      "listen_port=51820",
      "fwmark=1048576",
      "replace_peers=true",
      `public_key=${TWO}`,
      "endpoint=192.168.0.102:51820",
      "persistent_keepalive_interval=25",
      "replace_allowed_ips=true",
      "allowed_ip=10.1.2.0/26",
      "allowed_ip=fd00::/122",
      `public_key=${ONE}`,
      "endpoint=[fd00::1]:1",
      `public_key=${TWO}`,
      "remove=true",
      "",
      "",
    ]);
  });

  it("takes no key of another length", () => {
    assert.throws(() => encodeUapiChange({ privateKey: new Uint8Array(31) }), RangeError);
  });
});

describe("an answer", () => {
  const secret = generatePrivateKey();
  const text = [
    `private_key=${Buffer.from(secret).toString("hex")}`,
    "listen_port=51820",
    "fwmark=1048576",
    `public_key=${ONE}`,
    `preshared_key=${"00".repeat(32)}`,
    "protocol_version=1",
    "endpoint=192.168.0.102:51820",
    "last_handshake_time_sec=1700000000",
    "last_handshake_time_nsec=500000000",
    "tx_bytes=148",
    "rx_bytes=92",
    "persistent_keepalive_interval=0",
    "allowed_ip=10.1.2.0/26",
    "allowed_ip=fd00::/122",
    `public_key=${TWO}`,
    "last_handshake_time_sec=0",
    "last_handshake_time_nsec=0",
    "errno=0",
    "",
    "",
  ].join("\n");

  it("tells the device, and its public key in place of the private one", () => {
    assert.deepEqual(parseUapiAnswer(text), {
      errno: 0,
      device: {
        publicKey: publicKeyOf(secret),
        listenPort: 51820,
        fwmark: 0x100000,
        peers: [
          {
            publicKey: keyOf(ONE),
            endpoint: { ip: "192.168.0.102", port: 51820 },
            allowedIps: ["10.1.2.0/26", "fd00::/122"],
            keepaliveSec: 0,
            lastHandshakeMs: 1_700_000_000_500,
            rxBytes: 92,
            txBytes: 148,
          },
          { publicKey: keyOf(TWO), allowedIps: [], keepaliveSec: 0, rxBytes: 0, txBytes: 0 },
        ],
      },
    });
  });

  it("is complete with its last line, and not before", () => {
    for (let length = 0; length < text.length; length++)
      assert.equal(isUapiAnswer(text.slice(0, length)), false, `after ${length} characters`);
    assert.equal(isUapiAnswer(text), true);
    assert.throws(() => parseUapiAnswer(text.slice(0, -1)), /it is not complete/);
  });

  it("may be a refusal", () => {
    assert.equal(parseUapiAnswer("errno=-98\n\n").errno, 98);
    assert.equal(parseUapiAnswer("errno=22\n\n").errno, 22);
  });

  for (const [what, line] of [
    ["a key that is not known", "fancy=1"],
    ["a line without a value", "listen_port"],
    ["a number that is none", "listen_port=0x10"],
    ["a private key that is too short", `private_key=${ONE.slice(2)}`],
    ["a private key in capitals", `private_key=${"AB".repeat(32)}`],
    ["a peer's line before any peer", "allowed_ip=10.0.0.0/8"],
    ["an address without length", `public_key=${ONE}\nallowed_ip=10.0.0.0`],
    ["an endpoint without port", `public_key=${ONE}\nendpoint=192.168.0.1`],
    ["another protocol", `public_key=${ONE}\nprotocol_version=2`],
    ["two ends", "errno=0"],
    ["an empty line", ""],
  ] as const) {
    it(`is refused with ${what}, and the value is not repeated`, () => {
      assert.throws(
        () => parseUapiAnswer(`${line}\nerrno=0\n\n`),
        (error) => error instanceof SyntaxError && !/[0-9a-fA-F]{8}/.test(error.message),
      );
    });
  }
});
