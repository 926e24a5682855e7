// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RTPROT_STATIC } from "../../dataplane/netlink/route.ts";
import { parseIp } from "../../net/ip.ts";
import { type Check, isAmiss } from "../check.ts";
import { KERNEL, STATUS, link, route } from "../fixtures.ts";
import type { KernelSeen } from "../observation.ts";
import { judgeDevices } from "./devices.ts";
import { judgeRoutes } from "./routes.ts";
import { judgeSysctls } from "./sysctls.ts";

function judge(kernel: KernelSeen, status: typeof STATUS | undefined = STATUS): readonly Check[] {
  return [...judgeSysctls(kernel, status), ...judgeDevices(kernel, status), ...judgeRoutes(kernel)];
}

/** `<result> <name>: <what was looked at>`, and each command below it. */
function amiss(kernel: Partial<KernelSeen>, status?: typeof STATUS): readonly string[] {
  return judge({ ...KERNEL, ...kernel }, status)
    .filter(isAmiss)
    .flatMap(({ result, name, lookedAt, remedy }) => [
      `${result} ${name}: ${lookedAt}`,
      ...(remedy?.commands ?? []).map((command) => `$ ${command}`),
    ]);
}

function sysctls(changes: Readonly<Record<string, string>>): Partial<KernelSeen> {
  return { sysctls: new Map([...KERNEL.sysctls, ...Object.entries(changes)]) };
}

/** The link of that name is another. */
function changed(name: string, change: object): Partial<KernelSeen> {
  return { links: KERNEL.links.map((one) => (one.name === name ? { ...one, ...change } : one)) };
}

const END = "cali0123456789a";

describe("a node's kernel", () => {
  it("is well, and every check says so", () => {
    assert.deepEqual(amiss({}), []);
    assert.deepEqual(new Set(judge(KERNEL).map(({ result }) => result)), new Set(["ok"]));
    // Without an agent as well.
    assert.deepEqual(judge(KERNEL, undefined).filter(isAmiss), []);
  });

  const rows: readonly (readonly [string, Partial<KernelSeen>, readonly string[]])[] = [
    [
      "does not forward",
      sysctls({ "net/ipv4/ip_forward": "0" }),
      ["fault forwarding: net/ipv4/ip_forward", "$ sysctl -w net/ipv4/ip_forward=1"],
    ],
    [
      "does not forward what a container sends",
      sysctls({ [`net/ipv4/conf/${END}/forwarding`]: "0" }),
      [`fault forwarding: net/ipv4/conf/${END}/forwarding`, `$ sysctl -w net/ipv4/conf/${END}/forwarding=1`],
    ],
    [
      "does not answer for the gateway",
      sysctls({ [`net/ipv4/conf/${END}/proxy_arp`]: "0" }),
      [`fault proxy ARP: net/ipv4/conf/${END}/proxy_arp`, `$ sysctl -w net/ipv4/conf/${END}/proxy_arp=1`],
    ],
    [
      "is strict about a tunnel",
      sysctls({ "net/ipv4/conf/vxlan.calico/rp_filter": "1" }),
      [
        "warning reverse path: net/ipv4/conf/vxlan.calico/rp_filter",
        "$ sysctl -w net/ipv4/conf/vxlan.calico/rp_filter=2",
      ],
    ],
    [
      "is strict about two uplinks, of which one may bring what the other answers",
      {
        ...sysctls({ "net/ipv4/conf/eth0/rp_filter": "1", "net/ipv4/conf/eth1/rp_filter": "0" }),
        links: [...KERNEL.links, link(4, "eth1")],
        routes: [...KERNEL.routes, route("10.9.0.0/16", { gateway: parseIp("192.168.5.1"), ifIndex: 4 })],
      },
      ["warning reverse path: net/ipv4/conf/eth0/rp_filter", "$ sysctl -w net/ipv4/conf/eth0/rp_filter=2"],
    ],
    ["is strict about its only uplink", sysctls({ "net/ipv4/conf/eth0/rp_filter": "1" }), []],
    [
      "is loose about every interface",
      sysctls({ "net/ipv4/conf/all/rp_filter": "2" }),
      ["warning reverse path: net/ipv4/conf/all/rp_filter", "$ sysctl -w net/ipv4/conf/all/rp_filter=0"],
    ],
    [
      "does not look at the way back to a container",
      sysctls({ [`net/ipv4/conf/${END}/rp_filter`]: "0" }),
      [
        `warning reverse path: net/ipv4/conf/${END}/rp_filter`,
        `$ sysctl -w net/ipv4/conf/${END}/rp_filter=1`,
      ],
    ],
    [
      "tracks more connections than it soon can",
      sysctls({ "net/netfilter/nf_conntrack_count": "800" }),
      [
        "warning conntrack: net/netfilter/nf_conntrack_count",
        "$ sysctl -w net/netfilter/nf_conntrack_max=2000",
      ],
    ],
    [
      "tracks as many connections as it can",
      sysctls({ "net/netfilter/nf_conntrack_count": "1000" }),
      [
        "fault conntrack: net/netfilter/nf_conntrack_count",
        "$ sysctl -w net/netfilter/nf_conntrack_max=2000",
      ],
    ],
    [
      "has no room for neighbours, of which permanent ones do not count",
      sysctls({ "net/ipv4/neigh/default/gc_thresh3": "1" }),
      [
        "fault neighbour table: net/ipv4/neigh/default/gc_thresh3",
        "$ sysctl -w net/ipv4/neigh/default/gc_thresh3=8192",
      ],
    ],
    [
      "has a tunnel device that is down",
      changed("vxlan.calico", { up: false }),
      ["fault tunnel device: vxlan.calico", "$ ip link set vxlan.calico up"],
    ],
    [
      "has a tunnel device of the wrong size",
      changed("vxlan.calico", { mtu: 1500 }),
      ["fault tunnel device: vxlan.calico", "$ ip link set vxlan.calico mtu 1450"],
    ],
    [
      "has no tunnel device",
      { links: KERNEL.links.filter(({ name }) => name !== "vxlan.calico") },
      ["fault tunnel device: vxlan.calico"],
    ],
    ["has a container's link set down", changed(END, { up: false }), [`fault container link: ${END}`]],
    [
      "has a container that has set its link down",
      changed(END, { running: false }),
      [`warning container link: ${END}`],
    ],
    [
      "has the wrong MTU at its end of a container's link",
      changed(END, { mtu: 1500 }),
      [`fault container MTU: ${END}`, `$ ip link set ${END} mtu 1450`],
    ],
    [
      "has a container with the wrong MTU, in a namespace with an unwieldy name",
      {
        containerEnds: new Map([
          [END, { link: link(2, "eth0", { mtu: 900 }), netnsPath: "/run/netns/it's" }],
        ]),
      },
      [`fault container MTU: ${END}`, `$ nsenter --net='/run/netns/it'\\''s' ip link set eth0 mtu 1450`],
    ],
    [
      "has lost a container's route",
      { routes: KERNEL.routes.filter(({ dst }) => dst !== "10.1.0.1/32") },
      [
        `fault container route: 10.1.0.1/32 dev ${END}`,
        `$ ip route add 10.1.0.1/32 dev ${END} proto 80 scope link`,
      ],
    ],
    [
      "has lost a container's neighbour entry",
      { neighbours: [] },
      [
        `warning container neighbour: 10.1.0.1 dev ${END}`,
        `$ ip neigh replace 10.1.0.1 dev ${END} lladdr 0a:00:00:00:00:01 nud permanent`,
      ],
    ],
    [
      "has nothing that leads to a container",
      { neighbours: [], routes: [] },
      [`fault container route: ${END}`],
    ],
    [
      "has a route that leads some of a block's packets elsewhere",
      {
        routes: [...KERNEL.routes, route("10.1.0.70/32", { protocol: RTPROT_STATIC, metric: 0, ifIndex: 1 })],
      },
      ["fault foreign route: 10.1.0.70/32 metric 0", "$ ip route del 10.1.0.70/32 metric 0 proto 4"],
    ],
    [
      "has a route that is preferred to a block's",
      {
        routes: [
          ...KERNEL.routes,
          route("10.1.0.64/26", { protocol: RTPROT_STATIC, metric: 5, gateway: parseIp("192.168.0.9") }),
        ],
      },
      ["fault foreign route: 10.1.0.64/26 metric 5", "$ ip route del 10.1.0.64/26 metric 5 proto 4"],
    ],
    [
      "has a route that stands behind a block's, and one that is shorter",
      {
        routes: [
          ...KERNEL.routes,
          route("10.1.0.64/26", { protocol: RTPROT_STATIC, metric: 50 }),
          route("10.0.0.0/8", { protocol: RTPROT_STATIC, metric: 0 }),
        ],
      },
      [],
    ],
  ];
  for (const [what, kernel, wanted] of rows) {
    it(what, () => {
      assert.deepEqual(amiss(kernel), wanted);
    });
  }

  it("leaves checksums to a network card that computes them wrong", () => {
    const tunnels = STATUS.tunnels.map((end) => ({ ...end, checksums: "computed" }));
    assert.deepEqual(amiss({}, { ...STATUS, tunnels }), [
      "fault checksum offload: vxlan.calico",
      "$ ethtool -K vxlan.calico tx off",
    ]);
    assert.deepEqual(amiss({ offloads: new Map([["vxlan.calico", false]]) }, { ...STATUS, tunnels }), []);
  });

  it("is to forward IPv6 where a pool is of it", () => {
    const pools = [
      ...STATUS.pools,
      { name: "six", cidr: "fd00::/48", ipipMode: "Never", vxlanMode: "Never" },
    ];
    const off = sysctls({ "net/ipv6/conf/all/forwarding": "0" });
    assert.deepEqual(amiss(off), []);
    assert.deepEqual(amiss(off, { ...STATUS, pools }), [
      "fault forwarding: net/ipv6/conf/all/forwarding",
      "$ sysctl -w net/ipv6/conf/all/forwarding=1",
    ]);
  });
});
