// SPDX-License-Identifier: Apache-2.0
// What tunnels need of the netlink layer, against the real kernel; the kinds that not every kernel has are tried in test/vm.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { addAddress } from "../../src/dataplane/netlink/address.ts";
import {
  ETHTOOL_GENL_NAME,
  type LinkFeatures,
  TX_CHECKSUM_FEATURES,
  getFeatures,
  setTxChecksum,
} from "../../src/dataplane/netlink/ethtool.ts";
import {
  type ForwardingEntry,
  NTF_SELF,
  appendForwardingEntry,
  deleteForwardingEntry,
  listForwardingEntries,
  replaceForwardingEntry,
} from "../../src/dataplane/netlink/fdb.ts";
import { type Genetlink, openGenetlink } from "../../src/dataplane/netlink/genetlink.ts";
import type { GenlFamily } from "../../src/dataplane/netlink/genl-message.ts";
import { isKernelError } from "../../src/dataplane/netlink/kernel-error.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { createVxlan } from "../../src/dataplane/netlink/link-vxlan.ts";
import { type Link, deleteLink, setLink } from "../../src/dataplane/netlink/link.ts";
import {
  NUD_NOARP,
  NUD_PERMANENT,
  listNeighbours,
  replaceNeighbour,
} from "../../src/dataplane/netlink/neighbour.ts";
import {
  type KernelRoute,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  listRoutesWhere,
  replaceRoute,
} from "../../src/dataplane/netlink/route.ts";
import { type RtEvent, type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { type IfName, parseIfName } from "../../src/net/if-name.ts";
import { parseIp } from "../../src/net/ip.ts";
import { type Mac, parseMac } from "../../src/net/mac.ts";
import {
  type Namespace,
  createNamespace,
  deadline,
  eventsUntil,
  failureOf,
  ipJson,
  linkNamed,
  succeed,
} from "./netlink-harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";

const VXLAN = parseIfName("vxlan.calico");
const ETH0 = parseIfName("eth0");
const NODES = ["192.168.0.101", "192.168.0.102"].map(parseIp);
const MAC = parseMac("66:01:02:03:04:05");
const ZERO_MAC = parseMac("00:00:00:00:00:00");
const SETTINGS = { vni: 4096, port: 4789, learning: false, udpChecksum: false } as const;

/** A VXLAN device without a device below. */
async function makeVxlan(rtnetlink: Rtnetlink): Promise<Link> {
  await succeed(rtnetlink, createVxlan({ name: VXLAN, mac: MAC, mtu: 1450, up: true, ...SETTINGS }));
  return linkNamed(rtnetlink, VXLAN);
}

async function entriesOf(rtnetlink: Rtnetlink, ifIndex: number): Promise<readonly ForwardingEntry[]> {
  return rtnetlink.list(listForwardingEntries({ ifIndex }));
}

test("a VXLAN device is as it was asked for, and says so", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const [localIp = parseIp("::")] = NODES;
  await succeed(rtnetlink, createVeth({ name: ETH0, up: true, peer: { name: parseIfName("v1") } }));
  const { index: linkIndex } = await linkNamed(rtnetlink, ETH0);
  const settings = { ...SETTINGS, localIp, linkIndex, ttl: 9, tos: 1, dontFragment: "set" } as const;
  await succeed(rtnetlink, createVxlan({ name: VXLAN, mac: MAC, mtu: 1450, up: true, ...settings }));
  const link = await linkNamed(rtnetlink, VXLAN);
  assert.deepEqual([link.kind, link.mac, link.mtu, link.up], ["vxlan", MAC, 1450, true]);
  assert.deepEqual(link.tunnel, {
    kind: "vxlan",
    ...settings,
    omitsChecksum6: false,
    takesNoChecksum6: false,
    groupPolicy: false,
    external: false,
  });
  const [seen] = ipJson(namespace, "link", "show", VXLAN);
  const { linkinfo } = seen ?? {};
  assert.ok(typeof linkinfo === "object" && linkinfo !== null && "info_data" in linkinfo);
  assert.partialDeepStrictEqual(linkinfo.info_data, {
    ...{ id: 4096, local: localIp, link: "eth0", port: 4789, learning: false },
    ...{ ttl: 9, tos: "0x1", df: "set", udp_csum: false },
  });
});

test("devices that differ from ours are told apart, whoever made them", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const settingsOf = async (...args: readonly string[]): Promise<unknown> => {
    execFileSync("ip", ["-n", namespace.name, "link", "add", VXLAN, "type", "vxlan", ...args]);
    const { tunnel } = await linkNamed(rtnetlink, VXLAN);
    await succeed(rtnetlink, deleteLink({ name: VXLAN }));
    return tunnel;
  };
  const plain = {
    ...{ kind: "vxlan", vni: 7, port: 4789, learning: true, ttl: 0, tos: 0, dontFragment: "unset" },
    ...{ udpChecksum: true, omitsChecksum6: false, takesNoChecksum6: false },
    ...{ groupPolicy: false, external: false },
  };
  const args = ["id", "7", "dstport", "4789"];
  assert.deepEqual(await settingsOf(...args), plain);
  assert.deepEqual(await settingsOf(...args, "gbp"), { ...plain, groupPolicy: true });
  assert.deepEqual(await settingsOf(...args, "noudpcsum"), { ...plain, udpChecksum: false });
  assert.deepEqual(await settingsOf(...args, "udp6zerocsumtx", "udp6zerocsumrx"), {
    ...plain,
    omitsChecksum6: true,
    takesNoChecksum6: true,
  });
  assert.deepEqual(await settingsOf(...args, "nolearning", "local", "fd00::1"), {
    ...plain,
    learning: false,
    localIp: "fd00::1",
  });
  assert.deepEqual(await settingsOf(...args, "remote", "192.168.0.9"), { ...plain, remoteIp: "192.168.0.9" });
  const external = await settingsOf("dstport", "4789", "external");
  assert.deepEqual(external, { ...plain, vni: 0, learning: false, external: true });
});

test("a second device with the same identifier and port is EEXIST, with the kernel's words", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  await makeVxlan(rtnetlink);
  const error = await failureOf(rtnetlink, createVxlan({ name: parseIfName("other"), ...SETTINGS }));
  assert.ok(isKernelError(error, "EEXIST"));
  assert.match(error.message, /VNI already exists/);
});

test("forwarding entries come, change and go, and stand in a listing of their device only", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const { index: ifIndex } = await makeVxlan(rtnetlink);
  await succeed(rtnetlink, createVxlan({ name: parseIfName("other"), ...SETTINGS, port: 4790 }));
  const { index: other } = await linkNamed(rtnetlink, parseIfName("other"));
  const remote = parseMac("66:aa:bb:cc:dd:ee");
  const [first = parseIp("::"), second = parseIp("::")] = NODES;
  const kept = { state: NUD_PERMANENT, flags: NTF_SELF };
  await succeed(
    rtnetlink,
    replaceForwardingEntry({ ifIndex, mac: remote, dst: first }),
    replaceForwardingEntry({ ifIndex, mac: remote, dst: second }),
    replaceForwardingEntry({ ifIndex: other, mac: remote, dst: first }),
  );
  assert.deepEqual(await entriesOf(rtnetlink, ifIndex), [{ ifIndex, mac: remote, dst: second, ...kept }]);
  const bridgeSays = execFileSync("bridge", ["-n", namespace.name, "fdb", "show", "dev", VXLAN], {
    encoding: "utf8",
  });
  assert.match(bridgeSays, /^66:aa:bb:cc:dd:ee dst 192\.168\.0\.102 self permanent/m);
  const everywhere = await rtnetlink.list(listForwardingEntries());
  assert.ok(everywhere.some((entry) => entry.ifIndex === other && entry.dst === first));
  await succeed(rtnetlink, deleteForwardingEntry({ ifIndex, mac: remote, dst: first }));
  assert.equal((await entriesOf(rtnetlink, ifIndex)).length, 1, "the end that it has not is not removed");
  await succeed(rtnetlink, deleteForwardingEntry({ ifIndex, mac: remote }));
  assert.deepEqual(await entriesOf(rtnetlink, ifIndex), []);
  const gone = deleteForwardingEntry({ ifIndex, mac: remote });
  assert.ok(isKernelError(await failureOf(rtnetlink, gone), "ENOENT"));
});

test("an address for everything else has as many ends as were appended, and is not replaced", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const { index: ifIndex } = await makeVxlan(rtnetlink);
  const entries = NODES.map((dst) => ({ ifIndex, mac: ZERO_MAC, dst }));
  await succeed(rtnetlink, ...entries.map(appendForwardingEntry), ...entries.map(appendForwardingEntry));
  const ends = async (): Promise<unknown> =>
    (await entriesOf(rtnetlink, ifIndex)).map(({ dst }) => dst).sort();
  assert.deepEqual(await ends(), NODES);
  const [one = { ifIndex, mac: ZERO_MAC, dst: parseIp("::") }] = entries;
  assert.ok(isKernelError(await failureOf(rtnetlink, replaceForwardingEntry(one)), "EOPNOTSUPP"));
  await succeed(rtnetlink, deleteForwardingEntry(one));
  assert.deepEqual(await ends(), NODES.slice(1));
});

test("a forwarding entry made or removed by another is an event, and no neighbour's", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const { index: ifIndex } = await makeVxlan(rtnetlink);
  const batches = rtnetlink.events(["neighbour"], { signal: deadline() });
  const mac = parseMac("66:aa:bb:cc:dd:ee");
  for (const verb of ["add", "del"])
    execFileSync("bridge", ["-n", namespace.name, "fdb", verb, mac, "dev", VXLAN, "dst", "10.9.9.9"]);
  const isGone = (event: RtEvent): boolean =>
    event.kind === "fdb" && event.change === "deleted" && event.entry.dst !== undefined;
  const isOfVxlan = (event: RtEvent): boolean =>
    event.kind === "neighbour" ? event.neighbour.ifIndex === ifIndex : event.kind === "fdb";
  // Older kernels tell of each change twice, the second time without the end.
  const isWithoutEnd = (event: RtEvent): boolean => event.kind === "fdb" && event.entry.dst === undefined;
  const seen = await eventsUntil(batches, isGone);
  // bridge(8) sets both of the states that do not expire.
  const state = NUD_PERMANENT | NUD_NOARP;
  const entry = { ifIndex, mac, dst: parseIp("10.9.9.9"), state, flags: NTF_SELF };
  assert.deepEqual(
    seen.filter((event) => isOfVxlan(event) && !isWithoutEnd(event)),
    [
      { kind: "fdb", change: "new", entry },
      { kind: "fdb", change: "deleted", entry },
    ],
  );
});

test("the transmit checksum offload is switched, with what depends on it, and nothing else", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  await using genetlink = openGenetlink({ netns: namespace.netns });
  await makeVxlan(rtnetlink);
  await succeed(rtnetlink, createVeth({ name: ETH0, peer: { name: parseIfName("v1") } }));
  const ethtool = await genetlink.family(ETHTOOL_GENL_NAME);
  for (const name of [VXLAN, ETH0]) {
    const before = await featuresOf(genetlink, ethtool, name);
    assert.ok(before.active.has("tx-checksum-ip-generic") && before.changeable.has("tx-checksum-ip-generic"));
    assert.ok(!before.changeable.has("vlan-challenged"));
    const switched = async (isOn: boolean): Promise<LinkFeatures> => {
      const [error] = await genetlink.execute([setTxChecksum(ethtool, { name }, isOn)]);
      assert.ifError(error);
      return featuresOf(genetlink, ethtool, name);
    };
    const off = [...before.active].filter((feature) => TX_CHECKSUM_FEATURES.some((one) => one === feature));
    const { active } = await switched(false);
    const gone = [...before.active.difference(active)];
    assert.deepEqual(
      off.filter((feature) => active.has(feature)),
      [],
    );
    assert.ok(gone.includes("tx-tcp-segmentation"));
    assert.deepEqual(
      gone.filter((feature) => !/^tx-.*(checksum|segmentation)/.test(feature)),
      [],
    );
    assert.deepEqual((await switched(true)).active, before.active);
  }
});

test("what generic netlink has not is an error in its words", async () => {
  using namespace = createNamespace();
  await using genetlink = openGenetlink({ netns: namespace.netns });
  await assert.rejects(genetlink.family("no such family"), { code: "ENOENT" });
  const ethtool = await genetlink.family(ETHTOOL_GENL_NAME);
  const request = setTxChecksum(ethtool, { name: ETH0 }, false);
  const [error] = await genetlink.execute([request]);
  assert.deepEqual([error?.code, error?.op], ["ENODEV", 'change features of link "eth0"']);
  await assert.rejects(genetlink.list(getFeatures(ethtool, { index: 77 })), { code: "ENODEV" });
});

async function featuresOf(genetlink: Genetlink, ethtool: GenlFamily, name: IfName): Promise<LinkFeatures> {
  const [features, ...others] = await genetlink.list(getFeatures(ethtool, { name }));
  assert.ok(features !== undefined && others.length === 0);
  return features;
}

interface Node {
  readonly namespace: Namespace;
  readonly rtnetlink: Rtnetlink;
  readonly vxlan: Link;
}

/** One end of an underlay and of the tunnel over it, with the tunnel address 10.1.10<n>.0. */
async function makeNode(namespace: Namespace, rtnetlink: Rtnetlink, n: number): Promise<Node> {
  const eth0 = await linkNamed(rtnetlink, ETH0);
  const [ip, mac] = [parseIp(`192.168.0.10${n}`), tunnelMac(n)];
  const tunnel = { ...SETTINGS, localIp: ip, linkIndex: eth0.index };
  await succeed(
    rtnetlink,
    setLink({ name: ETH0, up: true }),
    addAddress({ ifIndex: eth0.index, ip, prefixLength: 24, scope: RT_SCOPE_UNIVERSE }),
    createVxlan({ name: VXLAN, mac, mtu: 1450, up: true, ...tunnel }),
  );
  const vxlan = await linkNamed(rtnetlink, VXLAN);
  const address = { ifIndex: vxlan.index, ip: tunnelIp(n), prefixLength: 32, scope: RT_SCOPE_UNIVERSE };
  await succeed(rtnetlink, addAddress(address));
  return { namespace, rtnetlink, vxlan };
}

const tunnelMac = (n: number): Mac => parseMac(`66:00:00:00:00:0${n}`);
const tunnelIp = (n: number): ReturnType<typeof parseIp> => parseIp(`10.1.10${n}.0`);

/** The route of the tunnel to the other node. */
function tunnelRoute({ vxlan }: Node, self: number, other: number): KernelRoute {
  return {
    ...{ table: RT_TABLE_MAIN, type: "unicast", protocol: 80, scope: RT_SCOPE_UNIVERSE, metric: 1024 },
    dst: parseCidr(`10.1.10${other}.0/26`),
    ifIndex: vxlan.index,
    gateway: tunnelIp(other),
    onlink: true,
    prefSrc: tunnelIp(self),
    mtu: 1400,
  };
}

test("with an address, a route, a neighbour and a forwarding entry on both ends, packets go through", async () => {
  using namespaces = new DisposableStack();
  const [a, b] = [namespaces.use(createNamespace()), namespaces.use(createNamespace())];
  await using atA = openRtnetlink({ netns: a.netns });
  await using atB = openRtnetlink({ netns: b.netns });
  await succeed(atA, createVeth({ name: ETH0, peer: { name: ETH0, netnsFd: b.netns.fd } }));
  const nodes = [await makeNode(a, atA, 1), await makeNode(b, atB, 2)];
  for (const [index, node] of nodes.entries()) {
    const [self, other] = [index + 1, 2 - index];
    const { rtnetlink, vxlan } = node;
    const neighbour = {
      ifIndex: vxlan.index,
      ip: tunnelIp(other),
      mac: tunnelMac(other),
      state: NUD_PERMANENT,
    };
    const route = tunnelRoute(node, self, other);
    await succeed(
      rtnetlink,
      replaceForwardingEntry({
        ifIndex: vxlan.index,
        mac: tunnelMac(other),
        dst: parseIp(`192.168.0.10${other}`),
      }),
      replaceNeighbour(neighbour),
      replaceRoute(route),
      replaceRoute(route),
    );
    assert.deepEqual(await rtnetlink.list(listRoutesWhere({ protocol: 80 })), [route]);
    const ofTunnel = (await rtnetlink.list(listNeighbours)).filter(
      ({ ifIndex, family }) => ifIndex === vxlan.index && family === 4,
    );
    assert.deepEqual(ofTunnel, [{ ...neighbour, family: 4, flags: 0 }]);
  }
  const ping = ["-c", "1", "-W", PING_PATIENCE_S, tunnelIp(2)];
  execFileSync("ip", ["netns", "exec", a.name, "ping", "-q", ...ping], { stdio: "pipe" });
});
