// SPDX-License-Identifier: Apache-2.0
// What tunnels need of the netlink layer, on the devices that not every kernel has. On a machine whose kernel lacks
// one, run them with "npm run test:vm"; the rest is in test/system/netlink-tunnel.test.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type KeyObject, createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { addAddress } from "../../src/dataplane/netlink/address.ts";
import { type Genetlink, openGenetlink } from "../../src/dataplane/netlink/genetlink.ts";
import { isKernelError } from "../../src/dataplane/netlink/kernel-error.ts";
import { createIpip } from "../../src/dataplane/netlink/link-ipip.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { createWireguard } from "../../src/dataplane/netlink/link-wireguard.ts";
import { type Link, deleteLink, listLinks, setLink } from "../../src/dataplane/netlink/link.ts";
import type { NetlinkRequest } from "../../src/dataplane/netlink/request.ts";
import {
  type KernelRoute,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  listRoutesWhere,
  replaceRoute,
} from "../../src/dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { type PeerSettings, changeWireguard } from "../../src/dataplane/netlink/wireguard-change.ts";
import {
  type WireguardDevice,
  getWireguard,
  joinWireguard,
} from "../../src/dataplane/netlink/wireguard-device.ts";
import { WG_GENL_NAME } from "../../src/dataplane/netlink/wireguard-message.ts";
import { addressAt, hostCidr, parseCidr } from "../../src/net/cidr.ts";
import { type IfName, parseIfName } from "../../src/net/if-name.ts";
import { type Ip, parseIp } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { type WireguardPublicKey, wireguardPublicKeyFromBytes } from "../../src/net/wireguard-key.ts";
import {
  type Namespace,
  createNamespace,
  failureOf,
  ipJson,
  linkNamed,
  succeed,
} from "../system/netlink-harness.ts";
import { PING_PATIENCE_S } from "../system/patience.ts";

const ETH0 = parseIfName("eth0");
const TUNL0 = parseIfName("tunl0");
const WG0 = parseIfName("wg0");

interface Node extends AsyncDisposable {
  readonly namespace: Namespace;
  readonly rtnetlink: Rtnetlink;
  readonly genetlink: Genetlink;
}

function openNode(): Node {
  const namespace = createNamespace();
  const rtnetlink = openRtnetlink({ netns: namespace.netns });
  const genetlink = openGenetlink({ netns: namespace.netns });
  return {
    namespace,
    rtnetlink,
    genetlink,
    async [Symbol.asyncDispose]() {
      await genetlink[Symbol.asyncDispose]();
      await rtnetlink[Symbol.asyncDispose]();
      namespace[Symbol.dispose]();
    },
  };
}

/** Two nodes on one underlay, 192.168.0.101 and 192.168.0.102. */
async function connect(a: Node, b: Node): Promise<void> {
  const peer = { name: ETH0, netnsFd: b.namespace.netns.fd };
  await succeed(a.rtnetlink, createVeth({ name: ETH0, peer }));
  for (const [index, { rtnetlink }] of [a, b].entries()) {
    await succeed(rtnetlink, setLink({ name: ETH0, up: true }));
    await giveAddress(rtnetlink, ETH0, nodeIp(index + 1), 24);
  }
}

async function giveAddress(rtnetlink: Rtnetlink, name: IfName, ip: Ip, prefixLength: number): Promise<void> {
  const { index: ifIndex } = await linkNamed(rtnetlink, name);
  await succeed(rtnetlink, addAddress({ ifIndex, ip, prefixLength, scope: RT_SCOPE_UNIVERSE }));
}

const nodeIp = (n: number): Ip => parseIp(`192.168.0.10${n}`);
const tunnelIp = (n: number): Ip => parseIp(`10.1.10${n}.0`);

function ping(from: Node, to: Ip): void {
  const command = ["netns", "exec", from.namespace.name, "ping", "-q", "-c", "1", "-W", PING_PATIENCE_S, to];
  execFileSync("ip", command, { stdio: "pipe" });
}

/** Makes sure of `tunl0` as a node does: the attempt to make it loads the module, which has made it then. */
async function ensureTunl0(rtnetlink: Rtnetlink): Promise<Link> {
  const [error] = await rtnetlink.execute([createIpip({ name: TUNL0 })]);
  assert.ok(error === undefined || error.code === "EEXIST", String(error));
  return linkNamed(rtnetlink, TUNL0);
}

test("making tunl0 leaves the kernel's own device there, for any ends", async () => {
  await using node = openNode();
  const link = await ensureTunl0(node.rtnetlink);
  assert.equal(link.kind, "ipip");
  assert.deepEqual(link.tunnel, {
    ...{ kind: "ipip", ttl: 0, tos: 0, pathMtuDiscovery: false, protocol: 0, external: false },
  });
  const again = await failureOf(node.rtnetlink, createIpip({ name: TUNL0 }));
  assert.ok(isKernelError(again, "EEXIST"));
  await succeed(node.rtnetlink, setLink({ name: TUNL0, up: true, mtu: 1400 }));
  const { up, mtu } = await linkNamed(node.rtnetlink, TUNL0);
  assert.deepEqual([up, mtu], [true, 1400]);
});

test("tunl0 survives its deletion, which the kernel agrees to", async () => {
  await using node = openNode();
  const { index } = await ensureTunl0(node.rtnetlink);
  await succeed(node.rtnetlink, deleteLink({ name: TUNL0 }));
  assert.equal((await linkNamed(node.rtnetlink, TUNL0)).index, index);
});

test("an IPIP device is as it was asked for, and says so", async () => {
  await using node = openNode();
  await succeed(node.rtnetlink, createVeth({ name: ETH0, peer: { name: parseIfName("v1") } }));
  const { index: linkIndex } = await linkNamed(node.rtnetlink, ETH0);
  const name = parseIfName("ipip0");
  const settings = {
    ...{ localIp: parseIpv4("192.168.0.101"), remoteIp: parseIpv4("192.168.0.102"), linkIndex },
    ...{ ttl: 64, tos: 1, pathMtuDiscovery: true },
  };
  await succeed(node.rtnetlink, createIpip({ name, mtu: 1440, up: true, ...settings }));
  const link = await linkNamed(node.rtnetlink, name);
  assert.deepEqual([link.kind, link.mtu, link.up], ["ipip", 1440, true]);
  assert.deepEqual(link.tunnel, { kind: "ipip", protocol: 4, external: false, ...settings });
  const [seen] = ipJson(node.namespace, "link", "show", name);
  const { linkinfo } = seen ?? {};
  assert.ok(typeof linkinfo === "object" && linkinfo !== null && "info_data" in linkinfo);
  assert.partialDeepStrictEqual(linkinfo.info_data, {
    ...{ local: "192.168.0.101", remote: "192.168.0.102", link: "eth0", ttl: 64, pmtudisc: true },
  });
  const same = await failureOf(node.rtnetlink, createIpip({ name: parseIfName("ipip1"), ...settings }));
  assert.ok(isKernelError(same, "EEXIST"));
});

test("one tunl0 reaches another node by a route that is onlink, with its source and MTU", async () => {
  await using a = openNode();
  await using b = openNode();
  await connect(a, b);
  for (const [index, { rtnetlink }] of [a, b].entries()) {
    const [self, other] = [index + 1, 2 - index];
    const { index: ifIndex } = await ensureTunl0(rtnetlink);
    await succeed(rtnetlink, setLink({ name: TUNL0, up: true }));
    await giveAddress(rtnetlink, TUNL0, tunnelIp(self), 32);
    const route: KernelRoute = {
      ...{ table: RT_TABLE_MAIN, type: "unicast", protocol: 80, scope: RT_SCOPE_UNIVERSE, metric: 1024 },
      ...{ dst: parseCidr(`10.1.10${other}.0/26`), ifIndex, gateway: nodeIp(other), onlink: true },
      ...{ prefSrc: tunnelIp(self), mtu: 1400 },
    };
    await succeed(rtnetlink, replaceRoute(route), replaceRoute(route));
    assert.deepEqual(await rtnetlink.list(listRoutesWhere({ protocol: 80 })), [route]);
  }
  ping(a, tunnelIp(2));
});

interface KeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: WireguardPublicKey;
}

function generateKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync("x25519");
  const last32 = (der: Buffer): Uint8Array => Uint8Array.from(der.subarray(-32));
  const toPublic = (key: KeyObject): Buffer => createPublicKey(key).export({ type: "spki", format: "der" });
  return {
    privateKey: last32(privateKey.export({ type: "pkcs8", format: "der" })),
    publicKey: wireguardPublicKeyFromBytes(last32(toPublic(privateKey))),
  };
}

async function change({ genetlink }: Node, ...args: TailOf<typeof changeWireguard>): Promise<void> {
  const requests: readonly NetlinkRequest[] = changeWireguard(await genetlink.family(WG_GENL_NAME), ...args);
  for (const error of await genetlink.execute(requests)) assert.ifError(error);
}

type TailOf<F> = F extends (first: never, ...rest: infer Rest) => unknown ? Rest : never;

async function deviceOf({ genetlink }: Node): Promise<WireguardDevice> {
  const dump = getWireguard(await genetlink.family(WG_GENL_NAME), { name: WG0 });
  const device = joinWireguard(await genetlink.list(dump));
  assert.ok(device);
  return device;
}

test("a WireGuard device has what it was given, and tells its public key", async () => {
  await using node = openNode();
  await succeed(node.rtnetlink, createWireguard({ name: WG0, mtu: 1440, up: true }));
  const link = await linkNamed(node.rtnetlink, WG0);
  assert.deepEqual([link.kind, link.mtu, link.up, link.mac], ["wireguard", 1440, true, undefined]);
  const [own, other] = [generateKeyPair(), generateKeyPair()];
  const fresh = await deviceOf(node);
  assert.deepEqual([fresh.ifIndex, fresh.publicKey, fresh.peers], [link.index, undefined, []]);
  const settings = {
    ...{ publicKey: other.publicKey, endpoint: { ip: nodeIp(2), port: 51821 }, keepaliveSec: 25 },
    allowedIps: [parseCidr("10.1.102.0/26"), parseCidr("fd00:2::/122")],
  };
  const { privateKey } = own;
  const whole = { privateKey, listenPort: 51820, fwmark: 0x100000, replacePeers: true };
  await change(node, { name: WG0 }, { ...whole, peers: [{ kind: "set", ...settings }] });
  const device = await deviceOf(node);
  const byText = (cidrs: readonly string[]): readonly string[] => [...cidrs].sort();
  assert.deepEqual(
    { ...device, peers: device.peers.map((peer) => ({ ...peer, allowedIps: byText(peer.allowedIps) })) },
    {
      ...{ ifIndex: link.index, publicKey: own.publicKey, listenPort: 51820, fwmark: 0x100000 },
      peers: [
        {
          ...settings,
          allowedIps: byText(settings.allowedIps),
          rxBytes: 0,
          txBytes: device.peers[0]?.txBytes,
        },
      ],
    },
  );
});

test("addresses are added or replaced, and peers removed, while the rest stays", async () => {
  await using node = openNode();
  await succeed(node.rtnetlink, createWireguard({ name: WG0 }));
  const [first, second] = [generateKeyPair().publicKey, generateKeyPair().publicKey];
  const cidrs = ["10.1.1.0/26", "10.1.2.0/26"].map(parseCidr);
  const [one = parseCidr("::/0"), two = one] = cidrs;
  const set = (publicKey: WireguardPublicKey, more: Partial<PeerSettings>): Promise<void> =>
    change(node, { name: WG0 }, { peers: [{ kind: "set", publicKey, ...more }] });
  const seen = async (): Promise<unknown> =>
    new Map(
      (await deviceOf(node)).peers.map(({ publicKey, allowedIps }) => [publicKey, new Set(allowedIps)]),
    );
  await set(first, { allowedIps: [one] });
  await set(first, { allowedIps: [two] });
  await set(second, {});
  assert.deepEqual(
    await seen(),
    new Map([
      [first, new Set(cidrs)],
      [second, new Set()],
    ]),
  );
  await set(second, { allowedIps: [two] });
  assert.deepEqual(
    await seen(),
    new Map([
      [first, new Set([one])],
      [second, new Set([two])],
    ]),
  );
  await set(second, { allowedIps: [one], replaceAllowedIps: true });
  assert.deepEqual(
    await seen(),
    new Map([
      [first, new Set()],
      [second, new Set([one])],
    ]),
  );
  await change(node, { name: WG0 }, { peers: [{ kind: "remove", publicKey: first }] });
  assert.deepEqual(await seen(), new Map([[second, new Set([one])]]));
  await change(node, { name: WG0 }, { replacePeers: true });
  assert.deepEqual(await seen(), new Map());
});

test("more peers and addresses than a message holds arrive, and are told", async () => {
  await using node = openNode();
  await succeed(node.rtnetlink, createWireguard({ name: WG0 }));
  const pool = parseCidr("10.0.0.0/8");
  const peers = Array.from({ length: 500 }, (_, index): PeerSettings => {
    const key = new Uint8Array(32).fill(index >> 8);
    key[0] = index & 255;
    key[1] = 7;
    const count = index === 200 ? 3000 : 2;
    const allowedIps = Array.from({ length: count }, (__, ip) =>
      hostCidr(addressAt(pool, index * 4000 + ip)),
    );
    return { kind: "set", publicKey: wireguardPublicKeyFromBytes(key), allowedIps };
  });
  await change(node, { name: WG0 }, { replacePeers: true, peers });
  const sorted = (list: readonly Pick<PeerSettings, "publicKey" | "allowedIps">[]): unknown =>
    new Map(list.map(({ publicKey, allowedIps }) => [publicKey, new Set(allowedIps)]));
  const device = await deviceOf(node);
  assert.equal(device.peers.length, 500);
  assert.deepEqual(sorted(device.peers), sorted(peers));
});

test("two nodes with each other's keys talk, and tell of their handshake", async () => {
  await using a = openNode();
  await using b = openNode();
  await connect(a, b);
  const keys = [generateKeyPair(), generateKeyPair()] as const;
  for (const [index, node] of [a, b].entries()) {
    const [self, other] = [index + 1, 2 - index];
    const [own, theirs] = index === 0 ? keys : [keys[1], keys[0]];
    await succeed(node.rtnetlink, createWireguard({ name: WG0, up: true }));
    const { index: ifIndex } = await linkNamed(node.rtnetlink, WG0);
    await giveAddress(node.rtnetlink, WG0, tunnelIp(self), 32);
    const dst = hostCidr(tunnelIp(other));
    const endpoint = { ip: nodeIp(other), port: 51820 };
    const peer = { kind: "set", publicKey: theirs.publicKey, endpoint, allowedIps: [dst] } as const;
    const { privateKey } = own;
    await change(node, { name: WG0 }, { privateKey, listenPort: 51820, peers: [peer] });
    const route: KernelRoute = {
      ...{ table: RT_TABLE_MAIN, type: "unicast", protocol: 80, scope: RT_SCOPE_LINK, metric: 0 },
      ...{ dst, ifIndex, onlink: false },
    };
    await succeed(node.rtnetlink, replaceRoute(route));
  }
  const before = Date.now();
  ping(a, tunnelIp(2));
  const [peer] = (await deviceOf(a)).peers;
  assert.ok(peer?.lastHandshakeMs !== undefined && Math.abs(peer.lastHandshakeMs - before) < 3600_000);
  assert.ok(peer.rxBytes > 0 && peer.txBytes > 0);
});

test("a device of another kind, or none, is no WireGuard device", async () => {
  await using node = openNode();
  await succeed(node.rtnetlink, createVeth({ name: ETH0, peer: { name: parseIfName("v1") } }));
  assert.ok((await node.rtnetlink.list(listLinks)).some(({ name }) => name === ETH0));
  const family = await node.genetlink.family(WG_GENL_NAME);
  for (const [name, code] of [
    [ETH0, "EOPNOTSUPP"],
    [WG0, "ENODEV"],
  ] as const) {
    const [error] = await node.genetlink.execute(changeWireguard(family, { name }, { fwmark: 1 }));
    assert.equal(error?.code, code);
    await assert.rejects(node.genetlink.list(getWireguard(family, { name })), { code });
  }
});
