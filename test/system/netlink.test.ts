// SPDX-License-Identifier: Apache-2.0
// The netlink layer against the real kernel, in namespaces of its own. Where it can, iproute2 is the second witness.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import {
  addAddress,
  deleteAddress,
  listAddresses,
  replaceAddress,
} from "../../src/dataplane/netlink/address.ts";
import { isKernelError } from "../../src/dataplane/netlink/kernel-error.ts";
import { createBridge } from "../../src/dataplane/netlink/link-bridge.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { createLinkRemover } from "../../src/dataplane/link-remover.ts";
import { type Link, deleteLink, getLink, listLinks, setLink } from "../../src/dataplane/netlink/link.ts";
import {
  NUD_PERMANENT,
  deleteNeighbour,
  listNeighbours,
  replaceNeighbour,
} from "../../src/dataplane/netlink/neighbour.ts";
import { currentNetnsId, openNetns } from "../../src/dataplane/netlink/netns.ts";
import {
  type KernelRoute,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  addRoute,
  deleteRoute,
  listRoutes,
  listRoutesWhere,
  replaceRoute,
} from "../../src/dataplane/netlink/route.ts";
import { type RtEvent, type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { type Rule, addRule, deleteRule, listRules } from "../../src/dataplane/netlink/rule.ts";
import { openNetlinkSocket } from "../../src/dataplane/netlink/socket.ts";
import { describeNetlinkSocket } from "../../src/dataplane/netlink/socket-contract.ts";
import { addressAt, hostCidr, parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { parseIp } from "../../src/net/ip.ts";
import { parseMac } from "../../src/net/mac.ts";
import {
  createNamespace,
  deadline,
  eventsUntil,
  failureOf,
  ipJson,
  linkNamed,
  succeed,
} from "./netlink-harness.ts";
import { PATIENCE_MS } from "./patience.ts";

const PROTOCOL = 80;
const V0 = parseIfName("v0");
const V1 = parseIfName("v1");
const LO = parseIfName("lo");
const MAC = parseMac("ee:ee:ee:ee:ee:ee");

/** A veth pair v0-v1 in one namespace, switched on, with 10.0.0.1/24 and fd00::1/64 on v0. */
async function makeVeth(rtnetlink: Rtnetlink): Promise<Link> {
  await succeed(
    rtnetlink,
    createVeth({ name: V0, up: true, peer: { name: V1 } }),
    setLink({ name: V1, up: true }),
  );
  const v0 = await linkNamed(rtnetlink, V0);
  const options = { skipDuplicateDetection: true };
  await succeed(
    rtnetlink,
    addAddress({ ifIndex: v0.index, ip: parseIp("10.0.0.1"), prefixLength: 24, scope: RT_SCOPE_UNIVERSE }),
    addAddress({ ifIndex: v0.index, ip: parseIp("fd00::1"), prefixLength: 64, scope: 0 }, options),
  );
  return v0;
}

const BASE = {
  table: RT_TABLE_MAIN,
  type: "unicast",
  protocol: PROTOCOL,
  scope: RT_SCOPE_UNIVERSE,
  metric: 0,
  onlink: false,
} as const satisfies Partial<KernelRoute>;

function blackholes(count: number): readonly KernelRoute[] {
  const all = parseCidr("10.64.0.0/10");
  return Array.from({ length: count }, (_, index) => ({
    ...BASE,
    dst: hostCidr(addressAt(all, index)),
    type: "blackhole" as const,
  }));
}

const contractNamespace = createNamespace();
test.after(() => {
  contractNamespace[Symbol.dispose]();
});
describeNetlinkSocket("kernel", () =>
  contractNamespace.netns.run(() => openNetlinkSocket({ receiveBufferBytes: 65536 })),
);

test("a veth is made across two namespaces, with what was asked for on both ends", async () => {
  using node = createNamespace();
  using container = createNamespace();
  await using onNode = openRtnetlink({ netns: node.netns });
  await using inContainer = openRtnetlink({ netns: container.netns });
  const eth0 = parseIfName("eth0");
  const peer = { name: eth0, mtu: 1400, mac: parseMac("02:00:00:00:00:05"), netnsFd: container.netns.fd };
  await succeed(onNode, createVeth({ name: V0, mac: MAC, mtu: 1450, up: true, peer }));
  await succeed(inContainer, setLink({ name: eth0, up: true }));
  const [outside, inside] = [await linkNamed(onNode, V0), await linkNamed(inContainer, eth0)];
  assert.deepEqual(
    [outside.kind, outside.mac, outside.mtu, outside.up, outside.running, outside.peerIndex],
    ["veth", MAC, 1450, true, true, inside.index],
  );
  assert.deepEqual(
    [inside.kind, inside.mac, inside.mtu, inside.up, inside.peerIndex],
    ["veth", peer.mac, 1400, true, outside.index],
  );
  const names = (await inContainer.list(listLinks)).map(({ name }) => name);
  assert.deepEqual(names, ["lo", "eth0"]);
  const [seen] = ipJson(container, "link", "show", "eth0");
  assert.deepEqual([seen?.["mtu"], seen?.["address"]], [1400, "02:00:00:00:00:05"]);
  await succeed(onNode, deleteLink({ name: V0 }));
  assert.deepEqual(
    (await inContainer.list(listLinks)).map(({ name }) => name),
    ["lo"],
  );
});

test("a name that is taken on either end is EEXIST, and nothing is left of the attempt", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  await succeed(rtnetlink, createBridge({ name: V1 }));
  for (const [name, peer] of [
    ["v0", "v1"],
    ["v1", "v0"],
  ] as const) {
    const request = createVeth({ name: parseIfName(name), peer: { name: parseIfName(peer) } });
    assert.ok(isKernelError(await failureOf(rtnetlink, request), "EEXIST"));
  }
  assert.deepEqual(
    (await rtnetlink.list(listLinks)).map(({ name }) => name),
    ["lo", "v1"],
  );
});

test("pairs are removed together, with what is not there, and nothing else goes with them", async () => {
  using node = createNamespace();
  using container = createNamespace();
  await using onNode = openRtnetlink({ netns: node.netns });
  await using inContainer = openRtnetlink({ netns: container.netns });
  const names = Array.from({ length: 5 }, (_, index) => parseIfName(`v${index}`));
  for (const name of names)
    await succeed(onNode, createVeth({ name, peer: { name, netnsFd: container.netns.fd } }));
  const remover = createLinkRemover(onNode);
  await Promise.all([...names.slice(0, 4), parseIfName("v9")].map((name) => remover.remove(name)));
  for (const rtnetlink of [onNode, inContainer])
    assert.deepEqual(
      (await rtnetlink.list(listLinks)).map(({ name }) => name),
      ["lo", "v4"],
    );
});

test("links are changed, renamed, put into a bridge, and moved to another namespace", async () => {
  using first = createNamespace();
  using second = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: first.netns });
  const br0 = parseIfName("br0");
  await succeed(
    rtnetlink,
    createBridge({ name: br0, up: true, mtu: 1300 }),
    createVeth({ name: V0, peer: { name: V1 } }),
  );
  const [bridge, { index }] = [await linkNamed(rtnetlink, br0), await linkNamed(rtnetlink, V0)];
  assert.deepEqual([bridge.kind, bridge.up, bridge.mtu], ["bridge", true, 1300]);
  await succeed(rtnetlink, setLink({ name: V0, masterIndex: bridge.index, mtu: 1280, mac: MAC }));
  const port = await linkNamed(rtnetlink, V0);
  assert.deepEqual([port.masterIndex, port.mtu, port.mac], [bridge.index, 1280, MAC]);
  await succeed(rtnetlink, setLink({ index, masterIndex: 0, newName: parseIfName("renamed") }));
  assert.equal((await linkNamed(rtnetlink, parseIfName("renamed"))).masterIndex, undefined);
  await succeed(rtnetlink, setLink({ index, netnsFd: second.netns.fd }));
  await assert.rejects(rtnetlink.list(getLink({ index })), { code: "ENODEV" });
  assert.equal(ipJson(second, "link", "show", "renamed").length, 1);
});

test("a link that is not there is ENODEV, for every request", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  await assert.rejects(rtnetlink.list(getLink(V0)), { code: "ENODEV", op: 'get link "v0"' });
  for (const request of [setLink({ name: V0, up: true }), deleteLink({ index: 77 })])
    assert.ok(isKernelError(await failureOf(rtnetlink, request), "ENODEV"));
});

test("addresses of both families come and go", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  await succeed(rtnetlink, createBridge({ name: V0 }));
  const { index: ifIndex } = await linkNamed(rtnetlink, V0);
  const addresses = [
    { ifIndex, ip: parseIp("10.1.101.3"), prefixLength: 32, scope: RT_SCOPE_LINK, label: "ours" },
    { ifIndex, ip: parseIp("fd00::3"), prefixLength: 128, scope: RT_SCOPE_UNIVERSE },
  ];
  await succeed(rtnetlink, ...addresses.map((address) => addAddress(address)));
  assert.deepEqual(await rtnetlink.list(listAddresses), addresses);
  const again = await rtnetlink.execute(addresses.map((address) => addAddress(address)));
  assert.deepEqual(
    again.map((error) => error?.code),
    ["EEXIST", "EEXIST"],
  );
  await succeed(rtnetlink, ...addresses.map((address) => replaceAddress(address)));
  assert.equal((await rtnetlink.list(listAddresses)).length, 2);
  await succeed(rtnetlink, ...addresses.map(deleteAddress));
  assert.deepEqual(await rtnetlink.list(listAddresses), []);
});

test("routes of every shape are listed as they were added", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const { index: ifIndex } = await makeVeth(rtnetlink);
  const { index: other } = await linkNamed(rtnetlink, V1);
  const gateway = parseIp("10.0.0.2");
  const routes: readonly KernelRoute[] = [
    { ...BASE, dst: parseCidr("0.0.0.0/0"), gateway, ifIndex, prefSrc: parseIp("10.0.0.1"), mtu: 1400 },
    { ...BASE, dst: parseCidr("10.1.1.0/26"), type: "blackhole" },
    { ...BASE, dst: parseCidr("10.1.2.0/26"), type: "unreachable", table: 1000, metric: 7 },
    { ...BASE, dst: parseCidr("10.1.3.3/32"), scope: RT_SCOPE_LINK, ifIndex },
    { ...BASE, dst: parseCidr("10.1.4.0/26"), gateway: parseIp("192.168.0.9"), ifIndex, onlink: true },
    { ...BASE, dst: parseCidr("10.1.5.0/26"), gateway: parseIp("fd00::2"), ifIndex },
    {
      ...BASE,
      dst: parseCidr("10.1.6.0/26"),
      nextHops: [
        { ifIndex, gateway, onlink: false, weight: 1 },
        { ifIndex: other, gateway: parseIp("10.9.9.9"), onlink: true, weight: 200 },
      ],
    },
    { ...BASE, dst: parseCidr("::/0"), gateway: parseIp("fd00::2"), ifIndex, metric: 1024 },
    { ...BASE, dst: parseCidr("fd00:1::/122"), gateway: parseIp("fd00::2"), ifIndex, metric: 5, mtu: 1300 },
  ];
  await succeed(rtnetlink, ...routes.map(addRoute));
  const byDst = (a: KernelRoute, b: KernelRoute): number => (a.dst < b.dst ? -1 : 1);
  const listed = (await rtnetlink.list(listRoutes)).filter(({ protocol }) => protocol === PROTOCOL);
  assert.deepEqual([...listed].sort(byDst), [...routes].sort(byDst));
  const [seen] = ipJson(namespace, "route", "show", "10.1.4.0/26");
  assert.deepEqual([seen?.["gateway"], seen?.["flags"]], ["192.168.0.9", ["onlink"]]);
  const again = await rtnetlink.execute(routes.map(addRoute));
  assert.deepEqual(
    again.map((error) => error?.code),
    routes.map(() => "EEXIST"),
  );
  await succeed(rtnetlink, ...routes.map(deleteRoute));
  const left = (await rtnetlink.list(listRoutes)).filter(({ protocol }) => protocol === PROTOCOL);
  assert.deepEqual(left, []);
});

test("a route is replaced in place, and a deletion takes only one of the given protocol", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const dst = parseCidr("10.1.1.0/26");
  const mine = listRoutesWhere({ family: 4, protocol: PROTOCOL });
  await succeed(rtnetlink, addRoute({ ...BASE, dst, type: "blackhole" }));
  const prohibit = { ...BASE, dst, type: "prohibit" } as const;
  await succeed(rtnetlink, replaceRoute(prohibit));
  assert.deepEqual(await rtnetlink.list(mine), [prohibit]);
  const foreign = deleteRoute({ table: RT_TABLE_MAIN, dst, metric: 0, protocol: PROTOCOL + 1 });
  assert.ok(isKernelError(await failureOf(rtnetlink, foreign), "ESRCH"));
  await succeed(rtnetlink, deleteRoute({ table: RT_TABLE_MAIN, dst, metric: 0 }));
  assert.deepEqual(await rtnetlink.list(mine), []);
});

test("the kernel filters a listing by family, table and protocol", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  await makeVeth(rtnetlink);
  const routes = ["10.1.1.0/26", "10.1.2.0/26", "fd00:1::/122"].map((dst, index) => ({
    ...BASE,
    dst: parseCidr(dst),
    type: "blackhole" as const,
    table: 1000 + index,
    protocol: PROTOCOL + index,
  }));
  await succeed(rtnetlink, ...routes.map(addRoute));
  const [first, second, third] = routes.map(({ dst }) => dst);
  const listed = async (filter: Parameters<typeof listRoutesWhere>[0]): Promise<unknown> =>
    (await rtnetlink.list(listRoutesWhere(filter))).map(({ dst }) => dst);
  assert.deepEqual(await listed({ table: 1000 }), [first]);
  assert.deepEqual(await listed({ protocol: PROTOCOL + 1 }), [second]);
  assert.deepEqual(await listed({ family: 6, protocol: PROTOCOL + 2 }), [third]);
  assert.deepEqual(await listed({ table: 1000, protocol: PROTOCOL + 1 }), []);
  await assert.rejects(listed({ family: 4, table: 4321 }), { code: "ENOENT" });
});

test("a refusal comes in the kernel's own words, for each request by itself", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const { index: ifIndex } = await makeVeth(rtnetlink);
  const dst = parseCidr("10.1.1.0/26");
  const results = await rtnetlink.execute([
    addRoute({ ...BASE, dst, gateway: parseIp("192.168.77.1"), ifIndex }),
    addRoute({ ...BASE, dst, gateway: parseIp("10.0.0.2"), ifIndex }),
    addRoute({ ...BASE, dst, type: "blackhole" }),
  ]);
  assert.deepEqual(
    results.map((error) => error?.code),
    ["ENETUNREACH", undefined, "EEXIST"],
  );
  assert.equal(
    results[0]?.message,
    `Cannot add route "10.1.1.0/26" via "192.168.77.1" on link ${ifIndex}: Nexthop has invalid gateway (ENETUNREACH)`,
  );
});

test("an attribute that the kernel objects to is found in the request", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const valid = addRoute({ ...BASE, dst: parseCidr("10.0.0.0/8"), type: "blackhole" });
  // An RTA_OIF of one byte where the kernel wants four.
  const body = Uint8Array.of(...valid.body, 5, 0, 4, 0, 1, 0, 0, 0);
  const [error] = await rtnetlink.execute([{ ...valid, body }]);
  assert.deepEqual([error?.code, error?.attributeOffset], ["ERANGE", 16 + valid.body.length]);
});

test("neighbours come and go", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const { index: ifIndex } = await makeVeth(rtnetlink);
  const permanent = [
    { ifIndex, ip: parseIp("10.0.0.9"), mac: MAC, state: NUD_PERMANENT },
    { ifIndex, ip: parseIp("fd00::9"), mac: MAC, state: NUD_PERMANENT },
  ];
  const listed = async (): Promise<unknown> =>
    (await rtnetlink.list(listNeighbours))
      .filter(({ state }) => state === NUD_PERMANENT)
      .map(({ ip, mac, family }) => [ip, mac, family]);
  await succeed(rtnetlink, ...permanent.map(replaceNeighbour), ...permanent.map(replaceNeighbour));
  assert.deepEqual(await listed(), [
    ["10.0.0.9", MAC, 4],
    ["fd00::9", MAC, 6],
  ]);
  const [seen] = ipJson(namespace, "neigh", "show", "10.0.0.9", "dev", "v0");
  assert.deepEqual([seen?.["lladdr"], seen?.["state"]], [MAC, ["PERMANENT"]]);
  await succeed(rtnetlink, ...permanent.map(deleteNeighbour));
  assert.deepEqual(await listed(), []);
  const unknown = deleteNeighbour({ ifIndex, ip: parseIp("10.0.0.77") });
  assert.ok(isKernelError(await failureOf(rtnetlink, unknown), "ENOENT"));
});

test("rules come and go, and those that cannot be described are not listed", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const plain = { table: 1000, protocol: PROTOCOL };
  const marked = { ...plain, priority: 99, fwmark: 0x100000, fwmask: 0x100000, invert: true };
  const from = { ...plain, priority: 100, invert: false };
  const rules: readonly Rule[] = [
    { family: 4, ...marked },
    { family: 4, ...from, src: parseCidr("10.1.0.0/16") },
    { family: 6, ...marked },
    { family: 6, ...from, src: parseCidr("fd00::1/128") },
  ];
  const listed = async (): Promise<unknown> =>
    (await rtnetlink.list(listRules)).filter(({ priority }) => priority > 0 && priority < 30000);
  execFileSync("ip", ["-n", namespace.name, "rule", "add", "to", "10.0.0.0/8", "lookup", "7", "pref", "98"]);
  await succeed(rtnetlink, ...rules.map(addRule));
  assert.deepEqual(await listed(), rules);
  for (const rule of rules) assert.ok(isKernelError(await failureOf(rtnetlink, addRule(rule)), "EEXIST"));
  await succeed(rtnetlink, ...rules.map(deleteRule));
  assert.deepEqual(await listed(), []);
  for (const rule of rules) assert.ok(isKernelError(await failureOf(rtnetlink, deleteRule(rule)), "ENOENT"));
});

test("changes of every kind are heard, also those made by others, from the call of events() on", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const signal = deadline();
  const batches = rtnetlink.events(["link", "address", "route", "neighbour", "rule"], { signal });
  const { index: ifIndex } = await makeVeth(rtnetlink);
  const ip = parseIp("10.0.0.9");
  const rule = { family: 4, priority: 99, table: 7, invert: false, protocol: PROTOCOL } as const;
  await succeed(
    rtnetlink,
    addRoute({ ...BASE, dst: parseCidr("10.1.0.0/16"), type: "blackhole" }),
    replaceNeighbour({ ifIndex, ip, mac: MAC, state: NUD_PERMANENT }),
    addRule(rule),
    deleteRule(rule),
    deleteNeighbour({ ifIndex, ip }),
  );
  execFileSync("ip", ["-n", namespace.name, "route", "del", "blackhole", "10.1.0.0/16"]);
  await succeed(rtnetlink, deleteLink({ name: V0 }));
  const isGone = (event: RtEvent): boolean =>
    event.kind === "link" && event.change === "deleted" && event.link.name === "v0";
  const seen = await eventsUntil(batches, isGone);
  const isSeen = (predicate: (event: RtEvent) => boolean): boolean => seen.some(predicate);
  assert.ok(isSeen((e) => e.kind === "link" && e.change === "new" && e.link.index === ifIndex && e.link.up));
  assert.ok(isSeen((e) => e.kind === "address" && e.change === "new" && e.address.ip === "10.0.0.1"));
  assert.ok(isSeen((e) => e.kind === "address" && e.change === "new" && e.address.ip === "fd00::1"));
  for (const change of ["new", "deleted"]) {
    assert.ok(isSeen((e) => e.kind === "route" && e.change === change && e.route.dst === "10.1.0.0/16"));
    assert.ok(isSeen((e) => e.kind === "rule" && e.change === change && e.rule.table === 7));
    assert.ok(isSeen((e) => e.kind === "neighbour" && e.change === change && e.neighbour.ip === ip));
  }
});

test("a port that leaves its bridge is not told as a link that is gone", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const br0 = parseIfName("br0");
  await succeed(
    rtnetlink,
    createBridge({ name: br0, up: true }),
    createVeth({ name: V0, peer: { name: V1 } }),
  );
  const { index: masterIndex } = await linkNamed(rtnetlink, br0);
  await succeed(rtnetlink, setLink({ name: V0, masterIndex, up: true }));
  const batches = rtnetlink.events(["link"], { signal: deadline() });
  await succeed(rtnetlink, setLink({ name: V0, masterIndex: 0 }), deleteLink({ name: br0 }));
  const isGone = (event: RtEvent): boolean => event.kind === "link" && event.change === "deleted";
  const gone = (await eventsUntil(batches, isGone)).filter(isGone);
  assert.deepEqual(
    gone.map((event) => event.kind === "link" && event.link.name),
    ["br0"],
  );
});

test("events that do not fit are told as an overrun, after which only newer ones come", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns, eventBufferBytes: 8192 });
  const batches = rtnetlink.events(["route"], { signal: deadline() });
  const routes = blackholes(2000);
  await succeed(rtnetlink, ...routes.map(addRoute), ...routes.map(deleteRoute));
  const seen = await eventsUntil(batches, ({ kind }) => kind === "overrun");
  assert.deepEqual(seen, [{ kind: "overrun" }]);
});

test("a subscription goes on after an overrun", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns, eventBufferBytes: 8192 });
  const routes = blackholes(2000);
  const abort = new AbortController();
  const batches = rtnetlink.events(["route"], { signal: AbortSignal.any([abort.signal, deadline()]) });
  await succeed(rtnetlink, ...routes.map(addRoute));
  const seen: RtEvent[] = [];
  for await (const batch of batches) {
    seen.push(...batch);
    if (seen.length === 1) await succeed(rtnetlink, ...routes.slice(0, 1).map(deleteRoute));
    else abort.abort();
  }
  const [route] = routes;
  assert.deepEqual(seen, [{ kind: "overrun" }, { kind: "route", change: "deleted", route }]);
});

test("an aborted signal ends the events quietly, also while they are waited for", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const abort = new AbortController();
  const waiting = Array.fromAsync(rtnetlink.events(["link"], { signal: abort.signal }));
  setImmediate(() => {
    abort.abort();
  });
  assert.deepEqual(await waiting, []);
  assert.deepEqual(await Array.fromAsync(rtnetlink.events(["link"], { signal: abort.signal })), []);
});

test("closing rtnetlink ends its subscriptions", async () => {
  using namespace = createNamespace();
  const rtnetlink = openRtnetlink({ netns: namespace.netns });
  const waiting = Array.fromAsync(rtnetlink.events(["link"], { signal: deadline() }));
  await rtnetlink[Symbol.asyncDispose]();
  assert.deepEqual(await waiting, []);
  await assert.rejects(rtnetlink.list(listLinks), /it is closed/);
});

test("many subscriptions wait at once without keeping anything else from running", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  // More than libuv has threads, each of which a blocking read would take.
  const signal = deadline();
  const isUp = (event: RtEvent): boolean => event.kind === "link" && event.link.up;
  const waiting = Array.from({ length: 10 }, () => eventsUntil(rtnetlink.events(["link"], { signal }), isUp));
  await succeed(rtnetlink, setLink({ name: LO, up: true }));
  for (const events of await Promise.all(waiting)) assert.ok(events.some(isUp));
});

test("large tables are changed and listed whole", async () => {
  using namespace = createNamespace();
  await using rtnetlink = openRtnetlink({ netns: namespace.netns });
  const routes = blackholes(5000);
  await succeed(rtnetlink, ...routes.map(addRoute));
  const dump = listRoutesWhere({ family: 4, protocol: PROTOCOL });
  assert.equal((await rtnetlink.list(dump)).length, 5000);
  const results = await rtnetlink.execute([...routes.slice(0, 300), ...routes].map(deleteRoute));
  assert.equal(results.filter((error) => error?.code === "ESRCH").length, 300);
  assert.deepEqual(await rtnetlink.list(dump), []);
});

test("rtnetlink stays in the namespace it was opened in, whatever becomes of the handle", async () => {
  using namespace = createNamespace();
  const netns = openNetns(`/run/netns/${namespace.name}`);
  await using rtnetlink = netns.run(() => openRtnetlink());
  netns[Symbol.dispose]();
  await succeed(rtnetlink, createBridge({ name: V0 }));
  assert.equal(ipJson(namespace, "link", "show", "v0").length, 1);
  const batches = rtnetlink.events(["link"], { signal: deadline() });
  await succeed(rtnetlink, deleteLink({ name: V0 }));
  await eventsUntil(batches, (event) => event.kind === "link" && event.change === "deleted");
});

test("an action runs inside the namespace, and the thread is home again afterwards, whatever happened", () => {
  using outer = createNamespace();
  using inner = createNamespace();
  const home = currentNetnsId();
  assert.notEqual(outer.netns.id, home);
  const ids = outer.netns.run(() => [
    currentNetnsId(),
    inner.netns.run(() => currentNetnsId()),
    currentNetnsId(),
  ]);
  assert.deepEqual(ids, [outer.netns.id, inner.netns.id, outer.netns.id]);
  assert.equal(currentNetnsId(), home);
  const fail = (): never => {
    throw new Error("the action failed");
  };
  assert.throws(() => outer.netns.run(fail), /the action failed/);
  assert.equal(currentNetnsId(), home);
  assert.throws(() => outer.netns.run(() => Promise.resolve()), /the action is asynchronous/);
  assert.equal(currentNetnsId(), home);
});

test("processes and sysctls of an action are the namespace's", () => {
  using namespace = createNamespace();
  const read = "readlink /proc/self/ns/net";
  const { netns } = namespace;
  const inside = netns.run(() => execFileSync("sh", ["-c", read], { encoding: "utf8" }).trim());
  assert.equal(inside, `net:[${netns.id.split(":")[1] ?? ""}]`);
  netns.run(() => {
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  });
  const forward = ["netns", "exec", namespace.name, "cat", "/proc/sys/net/ipv4/ip_forward"];
  assert.equal(execFileSync("ip", forward, { encoding: "utf8" }), "1\n");
});

test("the two handles of one namespace have one id, and two namespaces have two", () => {
  using a = createNamespace();
  using b = createNamespace();
  using again = openNetns(`/run/netns/${a.name}`);
  assert.equal(again.id, a.netns.id);
  assert.notEqual(a.netns.id, b.netns.id);
  using own = openNetns("/proc/self/ns/net");
  assert.equal(own.id, currentNetnsId());
});

test("what is no network namespace is refused by name", () => {
  assert.throws(() => openNetns("/run/netns/no-such-namespace"), {
    code: "ENOENT",
    message: /^Cannot open network namespace "\/run\/netns\/no-such-namespace": no such file/,
  });
  for (const path of ["/proc/self/ns/mnt", "/etc/hostname"])
    assert.throws(() => openNetns(path), {
      code: "EINVAL",
      message: `Cannot open network namespace "${path}": it is no network namespace (EINVAL)`,
    });
  const closed = openNetns("/proc/self/ns/net");
  closed[Symbol.dispose]();
  closed[Symbol.dispose]();
  assert.throws(() => closed.run(currentNetnsId), /it is closed/);
});

test("nothing that is opened stays open", async () => {
  using namespace = createNamespace();
  const useEverything = async (): Promise<void> => {
    using netns = openNetns(`/run/netns/${namespace.name}`);
    await using rtnetlink = openRtnetlink({ netns });
    const abort = new AbortController();
    const aborted = Array.fromAsync(rtnetlink.events(["link"], { signal: abort.signal }));
    const isUpOrDown = (event: RtEvent): boolean => event.kind === "link";
    const left = eventsUntil(rtnetlink.events(["link"], { signal: deadline() }), isUpOrDown);
    rtnetlink.events(["route"], { signal: deadline() });
    const [lo] = await rtnetlink.list(getLink(LO));
    await succeed(rtnetlink, setLink({ name: LO, up: lo?.up !== true }));
    await left;
    abort.abort();
    await aborted;
    assert.throws(() => openNetns("/etc/hostname"));
  };
  await useEverything();
  const before = readdirSync("/proc/self/fd").length;
  for (let round = 0; round < 20; round++) await useEverything();
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

test("an open subscription keeps no process from ending", () => {
  using namespace = createNamespace();
  const module = new URL("../../src/dataplane/netlink/", import.meta.url);
  const run = (ending: string): ReturnType<typeof spawnSync> => {
    const program = `
      import { openNetns } from ${JSON.stringify(new URL("netns.ts", module))};
      import { openRtnetlink } from ${JSON.stringify(new URL("rtnetlink.ts", module))};
      const rtnetlink = openRtnetlink({ netns: openNetns("/run/netns/${namespace.name}") });
      const abort = new AbortController();
      const reading = Array.fromAsync(rtnetlink.events(["link"], { signal: abort.signal }));
      setImmediate(() => { ${ending} });
      await reading;
      await rtnetlink[Symbol.asyncDispose]();
    `;
    // The time is only there to end a process that hangs.
    return spawnSync(process.execPath, ["--input-type=module", "-e", program], { timeout: PATIENCE_MS });
  };
  assert.equal(run("process.exit(7)").status, 7);
  assert.equal(run("throw new Error('uncaught')").status, 1);
  assert.equal(run("abort.abort()").status, 0);
});
