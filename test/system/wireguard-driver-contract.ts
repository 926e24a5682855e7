// SPDX-License-Identifier: Apache-2.0
// What every driver of WireGuard devices keeps to, in namespaces of its own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, it } from "node:test";
import { addAddress } from "../../src/dataplane/netlink/address.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { deleteLink, setLink } from "../../src/dataplane/netlink/link.ts";
import {
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  addRoute,
} from "../../src/dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import type { WireguardDriver } from "../../src/dataplane/wireguard/driver.ts";
import { generatePrivateKey, publicKeyOf } from "../../src/dataplane/wireguard/key-pair.ts";
import { hostCidr, parseCidr } from "../../src/net/cidr.ts";
import { type IfName, parseIfName } from "../../src/net/if-name.ts";
import { type Ip, parseIp } from "../../src/net/ip.ts";
import type { WireguardPublicKey } from "../../src/net/wireguard-key.ts";
import { FAST_PING, lossOf, pause } from "./harness.ts";
import { type Namespace, createNamespace, linkNamed, succeed } from "./netlink-harness.ts";

export const WG0 = parseIfName("wg0");
const WG1 = parseIfName("wg1");
const ETH0 = parseIfName("eth0");
const PORT = 51820;
const MTU = 1380;

/** A namespace with a driver for it. */
export interface DriverNode extends AsyncDisposable {
  readonly namespace: Namespace;
  readonly rtnetlink: Rtnetlink;
  readonly driver: WireguardDriver;
}

export type CreateDriver = (
  namespace: Namespace,
  rtnetlink: Rtnetlink,
  stack: AsyncDisposableStack,
) => WireguardDriver;

export function openNode(createDriver: CreateDriver): DriverNode {
  const stack = new AsyncDisposableStack();
  const namespace = stack.use(createNamespace());
  const rtnetlink = stack.use(openRtnetlink({ netns: namespace.netns }));
  // A device by another process ends with its link, not with the namespace's name.
  stack.defer(async () => {
    await rtnetlink.execute([deleteLink({ name: WG0 }), deleteLink({ name: WG1 })]);
  });
  const driver = createDriver(namespace, rtnetlink, stack);
  return { namespace, rtnetlink, driver, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Keys {
  readonly privateKey: Uint8Array;
  readonly publicKey: WireguardPublicKey;
}

function generateKeys(): Keys {
  const privateKey = generatePrivateKey();
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

export const nodeIp = (n: number): Ip => parseIp(`192.168.0.10${n}`);
export const tunnelIp = (n: number): Ip => parseIp(`10.1.10${n}.1`);

async function giveAddress(rtnetlink: Rtnetlink, name: IfName, ip: Ip, prefixLength: number): Promise<void> {
  const { index: ifIndex } = await linkNamed(rtnetlink, name);
  await succeed(rtnetlink, addAddress({ ifIndex, ip, prefixLength, scope: RT_SCOPE_UNIVERSE }));
}

/** Two nodes with a tunnel between them, in which each knows the other. */
export async function connect(
  nodes: readonly [DriverNode, DriverNode],
  keys: readonly [Keys, Keys],
): Promise<void> {
  const [a, b] = nodes;
  await succeed(a.rtnetlink, createVeth({ name: ETH0, peer: { name: ETH0, netnsFd: b.namespace.netns.fd } }));
  for (const [index, { rtnetlink, driver }] of nodes.entries()) {
    await succeed(rtnetlink, setLink({ name: ETH0, up: true }));
    await giveAddress(rtnetlink, ETH0, nodeIp(index), 24);
    await driver.create({ name: WG0, mtu: MTU });
    await giveAddress(rtnetlink, WG0, tunnelIp(index), 32);
    const [own, theirs] = index === 0 ? keys : [keys[1], keys[0]];
    const endpoint = { ip: nodeIp(1 - index), port: PORT };
    const dst = hostCidr(tunnelIp(1 - index));
    const peer = { kind: "set", publicKey: theirs.publicKey, endpoint, allowedIps: [dst] } as const;
    await driver.change(WG0, { privateKey: own.privateKey, listenPort: PORT, peers: [peer] });
    const { index: ifIndex } = await linkNamed(rtnetlink, WG0);
    const common = { table: RT_TABLE_MAIN, type: "unicast", protocol: 80, metric: 0 } as const;
    await succeed(rtnetlink, addRoute({ ...common, scope: RT_SCOPE_LINK, dst, ifIndex, onlink: false }));
  }
}

/** Pings at 100 packets a second; gives how many were lost. */
async function lossDuring(from: DriverNode, to: Ip, during: () => Promise<void>): Promise<number> {
  const command = ["netns", "exec", from.namespace.name, ...FAST_PING, to];
  const ping = spawn("ip", command, { stdio: ["ignore", "pipe", "inherit"] });
  return (await lossOf(ping, during)).lost;
}

export function testWireguardDriver(name: string, createDriver: CreateDriver): void {
  describe(`a WireGuard device by ${name}`, () => {
    it("is there once it is made: up, with a port, and with nothing else", async () => {
      await using node = openNode(createDriver);
      assert.equal(await node.driver.get(WG0), undefined);
      await node.driver.create({ name: WG0, mtu: MTU });
      const link = await linkNamed(node.rtnetlink, WG0);
      assert.deepEqual([link.up, link.mtu], [true, MTU]);
      const device = await node.driver.get(WG0);
      assert.ok(device && device.listenPort > 0);
      const { publicKey, listenPort, ...rest } = device;
      assert.deepEqual([publicKey, rest], [undefined, { ifIndex: link.index, fwmark: 0, peers: [] }]);
    });

    it("has what it was given, and tells its public key", async () => {
      await using node = openNode(createDriver);
      await node.driver.create({ name: WG0, mtu: MTU });
      const [own, other] = [generateKeys(), generateKeys()];
      const settings = {
        publicKey: other.publicKey,
        endpoint: { ip: nodeIp(2), port: 51821 },
        keepaliveSec: 0,
        allowedIps: [parseCidr("10.1.102.0/26"), parseCidr("10.1.103.7/32")],
      };
      const { privateKey } = own;
      const peers = [{ kind: "set", ...settings } as const];
      await node.driver.change(WG0, { privateKey, listenPort: PORT, fwmark: 0x100000, peers });
      const device = await node.driver.get(WG0);
      assert.ok(device);
      const [peer, ...others] = device.peers;
      assert.deepEqual(others, []);
      assert.partialDeepStrictEqual(device, { publicKey: own.publicKey, listenPort: PORT, fwmark: 0x100000 });
      assert.partialDeepStrictEqual(
        { ...peer, allowedIps: peer?.allowedIps.toSorted() },
        { ...settings, rxBytes: 0 },
      );
    });

    it("moves an address to the peer that gets it, and gives up peers", async () => {
      await using node = openNode(createDriver);
      await node.driver.create({ name: WG0, mtu: MTU });
      const [one, two] = [generateKeys().publicKey, generateKeys().publicKey];
      const [a, b] = [parseCidr("10.1.1.0/26"), parseCidr("10.1.2.0/26")];
      const seen = async (): Promise<unknown> =>
        new Map(
          (await node.driver.get(WG0))?.peers.map(({ publicKey, allowedIps }) => [
            publicKey,
            allowedIps.toSorted(),
          ]),
        );
      const set = (publicKey: WireguardPublicKey, allowedIps: readonly (typeof a)[]) =>
        ({ kind: "set", publicKey, allowedIps }) as const;
      await node.driver.change(WG0, { privateKey: generatePrivateKey(), peers: [set(one, [a, b])] });
      await node.driver.change(WG0, { peers: [set(two, [b])] });
      assert.deepEqual(
        await seen(),
        new Map([
          [one, [a]],
          [two, [b]],
        ]),
      );
      await node.driver.change(WG0, { peers: [set(two, [a]), { kind: "remove", publicKey: one }] });
      assert.deepEqual(await seen(), new Map([[two, [a, b]]]));
      await node.driver.change(WG0, { replacePeers: true });
      assert.deepEqual(await seen(), new Map());
    });

    it("says so when its port is in use", async () => {
      await using node = openNode(createDriver);
      await node.driver.create({ name: WG0, mtu: MTU });
      await node.driver.create({ name: WG1, mtu: MTU });
      await node.driver.change(WG1, { listenPort: PORT });
      await assert.rejects(node.driver.change(WG0, { listenPort: PORT }), { code: "EADDRINUSE" });
    });

    it("cannot be changed where there is none", async () => {
      await using node = openNode(createDriver);
      await assert.rejects(node.driver.change(WG0, { fwmark: 1 }), { code: "ENODEV" });
    });

    it("ends with its link, and can be made again", async () => {
      await using node = openNode(createDriver);
      await node.driver.create({ name: WG0, mtu: MTU });
      await node.driver.change(WG0, { privateKey: generatePrivateKey() });
      await succeed(node.rtnetlink, deleteLink({ name: WG0 }));
      assert.equal(await node.driver.get(WG0), undefined);
      await node.driver.create({ name: WG0, mtu: MTU });
      assert.equal((await node.driver.get(WG0))?.publicKey, undefined);
    });

    it("gets a new private key while packets flow, and loses none, once the other has replaced it", async () => {
      await using a = openNode(createDriver);
      await using b = openNode(createDriver);
      const [old, other, next] = [generateKeys(), generateKeys(), generateKeys()];
      await connect([a, b], [old, other]);
      const endpoint = { ip: nodeIp(0), port: PORT };
      const set = {
        kind: "set",
        publicKey: next.publicKey,
        endpoint,
        allowedIps: [hostCidr(tunnelIp(0))],
      } as const;
      for (const from of [a, b]) {
        const to = from === a ? tunnelIp(1) : tunnelIp(0);
        const [before, after] = from === a ? [old, next] : [next, old];
        const lost = await lossDuring(from, to, async () => {
          await a.driver.change(WG0, { privateKey: after.privateKey });
          // What it takes for the other to hear of it.
          await pause(300);
          const { publicKey } = after;
          await b.driver.change(WG0, {
            peers: [
              { ...set, publicKey, keepaliveSec: 25 },
              { kind: "set", publicKey, keepaliveSec: 0 },
              { kind: "remove", publicKey: before.publicKey },
            ],
          });
        });
        assert.equal(lost, 0);
        const peers = (await b.driver.get(WG0))?.peers ?? [];
        assert.deepEqual(
          peers.map(({ publicKey }) => publicKey),
          [after.publicKey],
        );
        assert.ok(peers[0]?.lastHandshakeMs !== undefined);
      }
    });
  });
}
