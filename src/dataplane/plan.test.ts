// SPDX-License-Identifier: Apache-2.0
// What each kind of object makes of wanted and seen: the request itself is compared, as its own module encodes it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  MAIN_TABLE,
  NODE_END_MAC,
  type RouteTarget,
  VXLAN6_DEVICE,
  type WantedNeighbour,
  type WantedRoute,
  neighbourKey,
  routeKey,
} from "../desired/wanted.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIfName } from "../net/if-name.ts";
import { parseIp } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseMac } from "../net/mac.ts";
import { END, LINK, UNDERLAY } from "./link-fixtures.ts";
import { LinkTable, isNodeEnd, planLink } from "./link.ts";
import { createNeighbourTable, planNeighbour, seenNeighbourKey } from "./neighbour.ts";
import type { VxlanTunnel } from "./netlink/link-vxlan.ts";
import { type Link, setLink } from "./netlink/link.ts";
import {
  NUD_PERMANENT,
  NUD_REACHABLE,
  type Neighbour,
  deleteNeighbour,
  replaceNeighbour,
} from "./netlink/neighbour.ts";
import {
  type KernelRoute,
  RTPROT_BIRD,
  RTPROT_BOOT,
  RTPROT_KERNEL,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  addRoute,
  deleteRoute,
  replaceRoute,
} from "./netlink/route.ts";
import type { Plan } from "./plan.ts";
import { RTPROT_MARGAY, RouteTable, planRoute } from "./route.ts";
import { applySysctl, createFakeSysctls } from "./sysctl.ts";

const OTHER_MAC = parseMac("02:00:00:00:00:01");

function linksOf(...links: readonly Link[]): LinkTable {
  const table = new LinkTable();
  table.reset(links);
  return table;
}

describe("the plan of a link", () => {
  const down = { ...LINK, up: false };
  const up = (mac = NODE_END_MAC): Plan<Link> => ({
    kind: "change",
    requests: [setLink({ index: 7, up: true, mac })],
    after: LINK,
  });
  const rows: readonly (readonly [
    what: string,
    isWanted: boolean,
    seen: Link | undefined,
    plan: Plan<Link>,
  ])[] = [
    ["is nothing where all is as wanted", true, LINK, { kind: "done" }],
    [
      "waits for the interface",
      true,
      undefined,
      { kind: "blocked", reason: `interface "${END}" is not there` },
    ],
    ["sets it up", true, down, up()],
    ["sets its address", true, { ...LINK, mac: OTHER_MAC }, up()],
    [
      "sets one of nobody's down",
      false,
      LINK,
      { kind: "change", requests: [setLink({ index: 7, up: false })], after: down },
    ],
    ["leaves one of nobody's that is down", false, down, { kind: "done" }],
    ["is nothing for one that is gone", false, undefined, { kind: "done" }],
  ];
  for (const [what, isWanted, seen, plan] of rows) {
    it(what, () => {
      const links = linksOf(...(seen === undefined ? [] : [seen]));
      if (isWanted) links.table.want(new Map([[END, { kind: "nodeEnd", name: END, mac: NODE_END_MAC }]]));
      assert.deepEqual(planLink(END, links), plan);
    });
  }

  it("is made for ends of ours only", () => {
    const names = ["cali0123456789a", "cali0123456789", "cali0123456789ab", "cali0123456789g", "eth0"];
    const ours = names.filter((name) => name.length < 16 && isNodeEnd({ ...LINK, name: parseIfName(name) }));
    assert.deepEqual(ours, [END]);
    assert.equal(isNodeEnd({ ...LINK, kind: "dummy" }), false);
  });
});

describe("the plan of the VXLAN device", () => {
  const NAME = parseIfName("vxlan.calico");
  const wanted = {
    kind: "vxlan",
    name: NAME,
    mac: OTHER_MAC,
    vni: 4096,
    port: 4789,
    localIp: parseIpv4("192.168.0.101"),
    mtu: 1450,
  } as const;
  const tunnel: VxlanTunnel = {
    kind: "vxlan",
    vni: 4096,
    port: 4789,
    localIp: wanted.localIp,
    learning: false,
    ttl: 0,
    tos: 0,
    dontFragment: "unset",
    udpChecksum: false,
    omitsChecksum6: false,
    takesNoChecksum6: false,
    groupPolicy: false,
    external: false,
  };
  const device: Link = { ...LINK, name: NAME, kind: "vxlan", mac: OTHER_MAC, mtu: 1450, up: true, tunnel };
  const planOf = (isWanted: boolean, seen: Link | undefined): Plan<Link>["kind"] => {
    const links = linksOf(...(seen === undefined ? [] : [seen]));
    if (isWanted) links.table.want(new Map([[NAME, wanted]]));
    return planLink(NAME, links).kind;
  };

  it("makes it, and leaves it where all is as wanted", () => {
    assert.deepEqual([planOf(true, undefined), planOf(true, device)], ["create", "done"]);
  });

  it("sets what can be set", () => {
    const damaged = [
      { ...device, mtu: 1400 },
      { ...device, up: false },
      { ...device, mac: NODE_END_MAC },
    ];
    assert.deepEqual(
      damaged.map((seen) => planOf(true, seen)),
      ["change", "change", "change"],
    );
  });

  it("removes one with other parameters, to be made anew", () => {
    const others: Partial<VxlanTunnel>[] = [
      { vni: 1 },
      { port: 8472 },
      { learning: true },
      { udpChecksum: true },
      { omitsChecksum6: true },
      { takesNoChecksum6: true },
      { external: true },
    ];
    const plans = others.map((other) => planOf(true, { ...device, tunnel: { ...tunnel, ...other } }));
    assert.deepEqual([...new Set(plans)], ["remove"]);
  });

  it("removes it where it is not wanted", () => {
    assert.equal(planOf(false, device), "remove");
  });

  it("of IPv6 has checksums, and takes packets without", () => {
    const [name, localIp] = [VXLAN6_DEVICE, parseIp("fd00:1::101")];
    const right = { ...tunnel, localIp, takesNoChecksum6: true };
    const plans = [
      right,
      { ...right, takesNoChecksum6: false },
      { ...right, omitsChecksum6: true },
      tunnel,
    ].map((seen) => {
      const links = linksOf({ ...device, name, tunnel: seen });
      links.table.want(new Map([[name, { ...wanted, name, localIp }]]));
      return planLink(name, links).kind;
    });
    assert.deepEqual(plans, ["done", "remove", "remove", "remove"]);
  });
});

describe("the table of links", () => {
  it("follows an interface to its new name", () => {
    const links = linksOf(LINK);
    const renamed = { ...LINK, name: parseIfName("eth9") };
    links.see(renamed);
    assert.deepEqual(
      [links.byName(END), links.byName("eth9"), links.byIndex(7)],
      [undefined, renamed, renamed],
    );
    assert.equal(links.table.seen(END), undefined);
  });

  it("keeps a name that went to another interface when the first goes", () => {
    const links = linksOf(LINK);
    const next = { ...LINK, index: 8 };
    links.see(next);
    links.remove(LINK);
    assert.deepEqual([links.byName(END), links.byIndex(7), links.table.seen(END)], [next, undefined, next]);
  });
});

describe("the plan of a neighbour", () => {
  const ip = parseIpv4("10.1.0.4");
  const key = neighbourKey(END, ip);
  const wanted: WantedNeighbour = { ifName: END, ip, mac: OTHER_MAC };
  const entry: Neighbour = { ifIndex: 7, family: 4, ip, mac: OTHER_MAC, state: NUD_PERMANENT, flags: 0 };
  const put: Plan<Neighbour> = { kind: "change", requests: [replaceNeighbour(entry)], after: entry };
  const learnt = { ...entry, state: NUD_REACHABLE };
  const rows: readonly (readonly [
    what: string,
    wanted: WantedNeighbour | undefined,
    seen: Neighbour | undefined,
    plan: Plan<Neighbour>,
  ])[] = [
    ["is nothing where all is as wanted", wanted, entry, { kind: "done" }],
    ["adds it", wanted, undefined, put],
    ["makes one that was learnt permanent", wanted, learnt, put],
    ["sets its address", wanted, { ...entry, mac: NODE_END_MAC }, put],
    ["moves it to the interface that has the name now", wanted, { ...entry, ifIndex: 6 }, put],
    ["removes a permanent one", undefined, entry, { kind: "remove", requests: [deleteNeighbour(entry)] }],
    ["leaves one that was learnt to age", undefined, learnt, { kind: "done" }],
    ["is nothing for one that is gone", undefined, undefined, { kind: "done" }],
  ];
  for (const [what, value, seen, plan] of rows) {
    it(what, () => {
      const table = createNeighbourTable();
      table.want(new Map([[key, value]]));
      table.see(key, seen);
      assert.deepEqual(planNeighbour(key, table, linksOf(LINK)), plan);
    });
  }

  it("waits for the interface", () => {
    const table = createNeighbourTable();
    table.want(new Map([[key, wanted]]));
    const reason = `interface "${END}" is not there`;
    assert.deepEqual(planNeighbour(key, table, linksOf()), { kind: "blocked", reason });
  });

  it("is made for entries on ends of ours only", () => {
    const links = linksOf(LINK, UNDERLAY);
    const keys = [7, 2, 9].map((ifIndex) => seenNeighbourKey({ ...entry, ifIndex }, links));
    assert.deepEqual(keys, [key, undefined, undefined]);
  });
});

describe("the plan of a route", () => {
  const dst = parseCidr("10.1.0.64/26");
  const gateway = parseIpv4("192.168.0.102");
  const viaGateway: RouteTarget = { kind: "gateway", gateway };
  const viaLink: RouteTarget = { kind: "link", ifName: END };
  const key = routeKey(dst, 1024);
  const common = { table: RT_TABLE_MAIN, protocol: RTPROT_MARGAY, onlink: false, dst, metric: 1024 } as const;
  const remote: KernelRoute = { ...common, type: "unicast", scope: RT_SCOPE_UNIVERSE, gateway };
  const seenRemote: KernelRoute = { ...remote, ifIndex: 2 };
  const local: KernelRoute = { ...common, type: "unicast", scope: RT_SCOPE_LINK, ifIndex: 7 };
  const hole: KernelRoute = { ...common, type: "blackhole", scope: RT_SCOPE_UNIVERSE };
  const birds: KernelRoute = { ...seenRemote, protocol: RTPROT_BIRD, metric: 32 };
  const wanted = (target: RouteTarget, standing: WantedRoute["standing"] = "present"): WantedRoute => ({
    table: MAIN_TABLE,
    dst,
    metric: 1024,
    target,
    standing,
  });
  const add = (after: KernelRoute): Plan<KernelRoute> => ({
    kind: "change",
    requests: [addRoute(after)],
    after,
  });
  const put = (after: KernelRoute): Plan<KernelRoute> => ({
    kind: "change",
    requests: [replaceRoute(after)],
    after,
  });
  const done: Plan<KernelRoute> = { kind: "done" };
  const later = wanted(viaGateway, "untilReplaced");
  const rows: readonly (readonly [
    what: string,
    wanted: WantedRoute | undefined,
    seen: readonly KernelRoute[],
    plan: Plan<KernelRoute>,
  ])[] = [
    ["adds one by a gateway", wanted(viaGateway), [], add(remote)],
    ["adds one into an interface", wanted(viaLink), [], add(local)],
    ["adds a black hole", wanted({ kind: "blackhole" }), [], add(hole)],
    [
      "is nothing where all is as wanted, whatever way the kernel found",
      wanted(viaGateway),
      [seenRemote],
      done,
    ],
    ["is nothing for the interface as wanted", wanted(viaLink), [local], done],
    ["replaces one that leads elsewhere", wanted(viaLink), [{ ...local, ifIndex: 8 }], put(local)],
    ["replaces one of another kind", wanted(viaGateway), [hole], put(remote)],
    [
      "replaces one with a source address",
      wanted(viaGateway),
      [{ ...seenRemote, prefSrc: parseIpv4("192.168.0.101") }],
      put(remote),
    ],
    ["replaces one with several ways", wanted(viaGateway), [{ ...remote, nextHops: [] }], put(remote)],
    [
      "takes one on a node end that has another protocol",
      wanted(viaLink),
      [{ ...local, protocol: RTPROT_BOOT }],
      put(local),
    ],
    [
      "replaces nothing that is another's",
      wanted(viaGateway),
      [{ ...seenRemote, protocol: RTPROT_BOOT }],
      add(remote),
    ],
    ["adds it beside BIRD's", wanted(viaGateway), [birds], add(remote)],
    [
      "removes one that is not wanted",
      undefined,
      [seenRemote],
      { kind: "remove", requests: [deleteRoute(seenRemote)] },
    ],
    ["leaves the kernel's own on a node end", undefined, [{ ...local, protocol: RTPROT_KERNEL }], done],
    ["leaves those of other tables", undefined, [{ ...seenRemote, table: 100 }], done],
    ["adds none that BIRD is to bring", later, [], done],
    ["keeps one until BIRD's has come", later, [seenRemote], done],
    [
      "removes one when BIRD's has come",
      later,
      [seenRemote, birds],
      { kind: "remove", requests: [deleteRoute(seenRemote)] },
    ],
  ];
  for (const [what, value, seen, plan] of rows) {
    it(what, () => {
      const links = linksOf(LINK, UNDERLAY);
      const routes = new RouteTable();
      routes.table.want(new Map([[key, value]]));
      routes.reset(seen, links);
      assert.deepEqual(planRoute(key, routes, links), plan);
    });
  }

  it("stands in for BIRD's while routes are held, and goes with the hold whether BIRD's has come or not", () => {
    const links = linksOf(LINK, UNDERLAY);
    const routes = new RouteTable();
    routes.table.want(new Map([[key, later]]));
    routes.reset([birds], links);
    routes.holdForBird();
    assert.deepEqual(planRoute(key, routes, links), add(remote));
    routes.see(seenRemote, links);
    routes.remove(birds, links);
    assert.deepEqual(planRoute(key, routes, links), done);
    routes.releaseToBird();
    const removal = { kind: "remove", requests: [deleteRoute(seenRemote)] };
    assert.deepEqual(planRoute(key, routes, links), removal);
    routes.remove(seenRemote, links);
    assert.deepEqual(planRoute(key, routes, links), done);
    // What comes later by itself is judged by itself again.
    routes.see(seenRemote, links);
    assert.deepEqual(planRoute(key, routes, links), done);
  });

  it("stays as it is through a hold where it stood before", () => {
    const links = linksOf(LINK, UNDERLAY);
    const routes = new RouteTable();
    routes.table.want(new Map([[key, later]]));
    routes.reset([seenRemote], links);
    routes.holdForBird();
    routes.releaseToBird();
    assert.deepEqual(planRoute(key, routes, links), done);
  });

  for (const [links, state] of [
    [linksOf(), "not there"],
    [linksOf({ ...LINK, up: false }), "down"],
  ] as const) {
    it(`waits for an interface that is ${state}`, () => {
      const routes = new RouteTable();
      routes.table.want(new Map([[key, wanted(viaLink)]]));
      const reason = `interface "${END}" is ${state}`;
      assert.deepEqual(planRoute(key, routes, links), { kind: "blocked", reason });
    });
  }

  it("is looked at again when BIRD's route comes, goes, or loses its interface", () => {
    const links = linksOf(LINK, UNDERLAY);
    const routes = new RouteTable();
    const isMarked = (): boolean => routes.table.takeDirty(0).includes(key);
    routes.see(birds, links);
    assert.deepEqual([isMarked(), routes.birdsInside([parseCidr("10.1.0.0/16")])], [true, [dst]]);
    assert.deepEqual(routes.birdsInside([parseCidr("10.2.0.0/16")]), []);
    routes.remove(birds, links);
    assert.deepEqual([isMarked(), routes.isBirds(dst)], [true, false]);
    routes.see(birds, links);
    routes.table.takeDirty(0);
    routes.forgetInterface(2);
    assert.deepEqual([isMarked(), routes.isBirds(dst)], [true, false]);
  });

  it("removes a route of BIRD's that stands beside its successor with another metric, once it is known which that is", () => {
    const links = linksOf(LINK, UNDERLAY);
    const routes = new RouteTable();
    const later = { ...birds, metric: 77 };
    const dirty = (): readonly string[] => routes.table.takeDirty(0).filter((name) => name !== key);
    routes.see(birds, links);
    routes.see(later, links);
    const [stale = ""] = dirty();
    assert.equal(stale, routeKey(dst, 32));
    assert.deepEqual(planRoute(stale, routes, links), { kind: "remove", requests: [deleteRoute(birds)] });
    routes.see(birds, links);
    assert.deepEqual(planRoute(stale, routes, links), { kind: "done" });
    routes.reset([birds, later], links);
    const plan = (): unknown => planRoute(stale, routes, links);
    assert.deepEqual([routes.hasRivalBirds, plan()], [true, { kind: "done" }]);
    routes.see(later, links);
    const removal = { kind: "remove", requests: [deleteRoute(birds)] };
    assert.deepEqual([routes.hasRivalBirds, plan()], [false, removal]);
    routes.remove(birds, links);
    assert.equal(routes.isBirds(dst), true);
  });

  it("takes ours for gone where another's has its place", () => {
    const links = linksOf(LINK, UNDERLAY);
    const routes = new RouteTable();
    routes.see(seenRemote, links);
    routes.see({ ...seenRemote, protocol: RTPROT_BOOT }, links);
    assert.equal(routes.table.seen(key), undefined);
  });
});

describe("a sysctl", () => {
  const path = ["net", "ipv4", "conf", "cali.1", "forwarding"];
  const wanted = { path, value: "1", ifName: undefined };

  it("is written where it differs, and only then", () => {
    const values = new Map([[path.join("/"), "0"]]);
    const files = createFakeSysctls(values);
    assert.deepEqual(applySysctl(wanted, files), { kind: "changed" });
    assert.deepEqual([...values.values()], ["1"]);
    const untouched = { ...files, write: () => assert.fail("nothing is to be written") };
    assert.deepEqual(applySysctl(wanted, untouched), { kind: "done" });
  });

  it("waits where there is no such setting", () => {
    const reason = `setting "${path.join("/")}" is not there`;
    assert.deepEqual(applySysctl(wanted, createFakeSysctls(new Map())), { kind: "blocked", reason });
  });
});
