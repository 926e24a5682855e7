// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LinkAddress } from "../../dataplane/netlink/address.ts";
import type { Link } from "../../dataplane/netlink/link.ts";
import {
  type KernelRoute,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
} from "../../dataplane/netlink/route.ts";
import { type DetectionMethod, parseAddressSetting } from "../../model/address-setting.ts";
import { parseCidr, parseInterfaceAddress } from "../../net/cidr.ts";
import { parseIfName } from "../../net/if-name.ts";
import { type Family, parseIp } from "../../net/ip.ts";
import { type NetworkState, describeNone, detectAddress } from "./detection.ts";

interface Interface {
  readonly addresses: readonly (string | readonly [string, Partial<LinkAddress>])[];
  /** Of the default route. */
  readonly default?: Partial<KernelRoute>;
  readonly link?: Partial<Link>;
}

/** Interfaces get their indexes in the order in which they are written, from 1. */
function network(interfaces: Readonly<Record<string, Interface>>, way?: NetworkState["way"]): NetworkState {
  const entries = Object.entries(interfaces).map(([name, what], place) => ({
    name,
    index: place + 1,
    ...what,
  }));
  return {
    family: 4,
    links: entries.map(({ name, index, link }) => ({
      index,
      name: parseIfName(name),
      mtu: 1500,
      up: true,
      running: true,
      flags: 0,
      ...link,
    })),
    addresses: entries.flatMap(({ name, index, addresses }) =>
      addresses.map((address) => {
        const [text, more = {}] = typeof address === "string" ? [address] : address;
        return { ifIndex: index, ...parseInterfaceAddress(text), scope: 0, label: name, ...more };
      }),
    ),
    routes: entries.flatMap(({ index, default: route }) =>
      route === undefined ? [] : [{ ...DEFAULT, ifIndex: index, ...route }],
    ),
    way,
  };
}

const DEFAULT: KernelRoute = {
  table: RT_TABLE_MAIN,
  dst: parseCidr("0.0.0.0/0"),
  type: "unicast",
  protocol: 3,
  scope: 0,
  metric: 0,
  onlink: false,
};

const LO: Interface = { addresses: [["127.0.0.1/8", { scope: RT_SCOPE_HOST }]] };
const ETH0: Interface = { addresses: ["192.168.0.101/24"], default: { gateway: parseIp("192.168.0.1") } };
const ETH1: Interface = { addresses: ["10.0.0.5/16"] };
const DOCKER0: Interface = { addresses: ["172.17.0.1/16"] };

interface Row {
  readonly what: string;
  readonly method?: string;
  readonly state: NetworkState;
  readonly found: string | undefined;
  readonly reason: string;
  /** Address and reason of each that was not chosen. */
  readonly passedOver?: readonly (readonly [string, string])[];
}

const ROWS: readonly Row[] = [
  {
    what: "takes the interface with the default route, though others come first",
    state: network({ lo: LO, docker0: DOCKER0, eth1: ETH1, eth0: ETH0 }),
    found: "192.168.0.101/24",
    reason: "first-found: eth0 has the default route",
    passedOver: [
      ["10.0.0.5/16", "eth1 has no default route"],
      ["172.17.0.1/16", "docker0 is Docker's, by its name"],
    ],
  },
  {
    what: "takes the default route of the lower metric",
    state: network({
      wlan0: { addresses: ["192.168.1.7/24"], default: { metric: 600 } },
      eth0: { ...ETH0, default: { metric: 100 } },
    }),
    found: "192.168.0.101/24",
    reason: "first-found: eth0 has the default route that is preferred (metric 100)",
    passedOver: [["192.168.1.7/24", "the default route of wlan0 has the higher metric, 600"]],
  },
  {
    what: "takes the first interface where none has a default route",
    state: network({ eth1: ETH1, eth0: { addresses: ["192.168.0.101/24"] } }),
    found: "10.0.0.5/16",
    reason: "first-found: eth1 has no default route, and no other has; eth1 comes first",
    passedOver: [["192.168.0.101/24", "eth0 comes after eth1"]],
  },
  {
    what: "takes the only interface",
    state: network({ lo: LO, eth1: ETH1 }),
    found: "10.0.0.5/16",
    reason: "first-found: eth1 is the only interface with an address to take",
  },
  {
    what: "knows an interface by one way of a default route of several",
    state: network({
      eth1: ETH1,
      eth0: {
        addresses: ["192.168.0.101/24"],
        default: {
          nextHops: [
            { ifIndex: 2, gateway: parseIp("192.168.0.1"), weight: 1, onlink: false },
            { ifIndex: 7, gateway: parseIp("192.168.7.1"), weight: 1, onlink: false },
          ],
        },
      },
    }),
    found: "192.168.0.101/24",
    reason: "first-found: eth0 has the default route",
    passedOver: [["10.0.0.5/16", "eth1 has no default route"]],
  },
  {
    what: "does not count a default route that leads nowhere",
    state: network({ eth1: ETH1, eth0: { ...ETH0, default: { type: "unreachable" } } }),
    found: "10.0.0.5/16",
    reason: "first-found: eth1 has no default route, and no other has; eth1 comes first",
    passedOver: [["192.168.0.101/24", "eth0 comes after eth1"]],
  },
  {
    what: "passes over a secondary address, a label and a /32, wherever they stand",
    state: network({
      eth0: {
        addresses: [
          "192.168.0.200/32",
          ["192.168.0.201/24", { label: "eth0:vip" }],
          "192.168.0.101/24",
          ["192.168.0.202/24", { isSecondary: true }],
        ],
        default: {},
      },
    }),
    found: "192.168.0.101/24",
    reason: "first-found: eth0 has the default route; of its addresses, this one is on a network",
    passedOver: [
      ["192.168.0.200/32", "it is on no network (/32), as virtual addresses are"],
      ["192.168.0.201/24", 'it has a label of its own, "eth0:vip", as virtual addresses have'],
      ["192.168.0.202/24", "it is a secondary address"],
    ],
  },
  {
    what: "takes a /32 where there is nothing else, as in clouds",
    state: network({ eth0: { addresses: ["10.128.0.5/32"], default: { gateway: parseIp("10.128.0.1") } } }),
    found: "10.128.0.5/32",
    reason: "first-found: eth0 has the default route",
  },
  {
    what: "takes an address of the default route's network, and there its source",
    state: network({
      eth0: {
        addresses: ["10.9.0.1/24", "192.168.0.100/24", ["192.168.0.101/24", { isSecondary: true }]],
        default: { gateway: parseIp("192.168.0.1"), prefSrc: parseIp("192.168.0.101") },
      },
    }),
    found: "192.168.0.101/24",
    reason:
      "first-found: eth0 has the default route; of its addresses, this one is the source of the default route",
    passedOver: [
      ["192.168.0.100/24", "the source of the default route is 192.168.0.101"],
      ["10.9.0.1/24", "the source of the default route is 192.168.0.101"],
    ],
  },
  {
    what: "takes the address that is on the gateway's network",
    state: network({ eth0: { ...ETH0, addresses: ["10.9.0.1/24", "192.168.0.101/24"] } }),
    found: "192.168.0.101/24",
    reason: "first-found: eth0 has the default route; of its addresses, this one is on the gateway's network",
    passedOver: [["10.9.0.1/24", "the gateway of the default route is not on its network"]],
  },
  {
    what: "takes the first of two addresses that are alike",
    state: network({ eth0: { addresses: ["10.9.0.1/24", "10.8.0.1/24"] } }),
    found: "10.9.0.1/24",
    reason:
      "first-found: eth0 is the only interface with an address to take; of its addresses, this one comes first",
    passedOver: [["10.8.0.1/24", "it comes after 10.9.0.1"]],
  },
  {
    what: "takes an interface with a carrier before one without",
    state: network({ eth0: { addresses: ["192.168.0.101/24"], link: { running: false } }, eth1: ETH1 }),
    found: "10.0.0.5/16",
    reason: "first-found: eth1 has no default route, and no other has; eth1 has a carrier",
    passedOver: [["192.168.0.101/24", "eth0 has no carrier"]],
  },
  {
    what: "takes nothing of ours, and nothing that is down or counts on its link only",
    state: network({
      lo: { addresses: [["10.1.0.1/32", { label: "margay", scope: RT_SCOPE_HOST }]] },
      "vxlan.calico": { addresses: ["10.1.0.2/32"] },
      tunl0: { addresses: ["10.1.0.3/32"] },
      "wireguard.cali": { addresses: ["10.1.0.4/32"] },
      cali0123456789a: { addresses: ["10.1.0.5/32"] },
      eth0: { addresses: ["192.168.0.101/24"], link: { up: false, running: false } },
      eth1: { addresses: [["10.0.0.5/16", { scope: 253 }], "169.254.7.7/16"] },
    }),
    found: undefined,
    reason:
      "first-found finds none (10.1.0.1/32 on lo: it is inside the container network; 10.1.0.2/32 on vxlan.calico: it is inside the container network; 10.1.0.3/32 on tunl0: it is inside the container network; 10.1.0.4/32 on wireguard.cali: it is inside the container network; 10.1.0.5/32 on cali0123456789a: it is inside the container network; 192.168.0.101/24 on eth0: eth0 is down; 10.0.0.5/16 on eth1: it counts on its own network only; 169.254.7.7/16 on eth1: it counts on its own network only)",
  },
  {
    what: "takes no loopback address",
    state: network({ lo: { addresses: ["127.0.0.1/8", "10.7.7.7/32"] } }),
    found: undefined,
    reason: "first-found finds none (10.7.7.7/32 on lo: lo is the loopback interface)",
  },
  {
    what: "finds nothing where there is nothing",
    state: network({ lo: LO, eth0: { addresses: ["fd00::1/64"] } }),
    found: undefined,
    reason: "first-found finds none (no interface has an IPv4 address)",
  },
  {
    what: "takes the source that the kernel uses",
    method: "can-reach=10.0.9.9",
    state: network({ eth0: ETH0, eth1: ETH1 }, { ifIndex: 2, prefSrc: parseIp("10.0.0.5") }),
    found: "10.0.0.5/16",
    reason: "can-reach=10.0.9.9: packets there leave eth1 from this address",
    passedOver: [["192.168.0.101/24", "packets to 10.0.9.9 leave eth1 from 10.0.0.5"]],
  },
  {
    what: "takes nothing where the kernel has no route",
    method: "can-reach=10.0.9.9",
    state: network({ eth1: ETH1 }),
    found: undefined,
    reason: "can-reach=10.0.9.9 finds none (10.0.0.5/16 on eth1: there is no route to 10.0.9.9)",
  },
  {
    what: "takes no way through a tunnel of ours",
    method: "can-reach=10.1.9.9",
    state: network(
      { "vxlan.calico": { addresses: ["10.1.0.2/32"] } },
      { ifIndex: 1, prefSrc: parseIp("10.1.0.2") },
    ),
    found: undefined,
    reason: "can-reach=10.1.9.9 finds none (10.1.0.2/32 on vxlan.calico: it is inside the container network)",
  },
  {
    what: "takes an interface that is named, whatever it is",
    method: "interface=^eth9$,^docker",
    state: network({ eth0: ETH0, docker0: DOCKER0 }),
    found: "172.17.0.1/16",
    reason: "interface=^eth9$,^docker: docker0 matches ^docker",
    passedOver: [["192.168.0.101/24", "eth0 does not match"]],
  },
  {
    what: "ranks interfaces that match",
    method: "interface=eth",
    state: network({ eth1: ETH1, eth0: ETH0 }),
    found: "192.168.0.101/24",
    reason: "interface=eth: eth0 matches eth, and has the default route",
    passedOver: [["10.0.0.5/16", "eth1 has no default route"]],
  },
  {
    what: "skips what matches, and what would never be taken",
    method: "skip-interface=^eth0$",
    state: network({ docker0: DOCKER0, eth0: ETH0, eth1: ETH1 }),
    found: "10.0.0.5/16",
    reason: "skip-interface=^eth0$: eth1 is the only interface with an address to take",
    passedOver: [
      ["172.17.0.1/16", "docker0 is Docker's, by its name"],
      ["192.168.0.101/24", "eth0 matches ^eth0$"],
    ],
  },
  {
    what: "takes an address in one of the prefixes, and none of Docker's",
    method: "cidr=172.16.0.0/12,10.0.0.0/8",
    state: network({ docker0: DOCKER0, eth0: ETH0, eth1: ETH1 }),
    found: "10.0.0.5/16",
    reason: "cidr=172.16.0.0/12,10.0.0.0/8: eth1 has an address in 10.0.0.0/8",
    passedOver: [
      ["172.17.0.1/16", "docker0 is Docker's, by its name"],
      ["192.168.0.101/24", "it is in none of the prefixes"],
    ],
  },
  {
    what: "takes the loopback interface's by its prefix",
    method: "cidr=10.7.0.0/16",
    state: network({ lo: { addresses: ["127.0.0.1/8", "10.7.7.7/32"] }, eth0: ETH0 }),
    found: "10.7.7.7/32",
    reason: "cidr=10.7.0.0/16: lo has an address in 10.7.0.0/16",
    passedOver: [["192.168.0.101/24", "it is in none of the prefixes"]],
  },
];

describe("the detection of a node's address", () => {
  for (const { what, method = "first-found", state, found, reason, passedOver } of ROWS) {
    it(`${what} (${method})`, () => {
      const parsed = methodOf(method);
      const detection = detectAddress(parsed, state);
      assert.equal(detection.found?.address, found);
      assert.equal(detection.found?.reason ?? describeNone(parsed, detection), reason);
      if (found === undefined) return;
      assert.deepEqual(
        detection.passedOver.map((other) => [other.address, other.reason]),
        passedOver ?? [],
      );
    });
  }

  it("does not depend on the order of links and routes", () => {
    const { links, routes, ...rest } = network({ eth1: ETH1, docker0: DOCKER0, eth0: ETH0 });
    const state = { ...rest, links: links.toReversed(), routes: routes.toReversed() };
    assert.equal(detectAddress({ kind: "first-found" }, state).found?.interface, "eth0");
  });

  const foreign =
    "docker0 docker_gwbridge br-0123456789ab podman0 veth1234 cni0 cbr0 flannel.1 cilium_host weave tunl1 kube-ipvs0 nodelocaldns virbr0 vnet3 lxcbr0 lxdbr0 dummy0 cali1";
  for (const name of foreign.split(" ")) {
    it(`takes nothing on ${name}, which comes first`, () => {
      const state = network({ [name]: { addresses: ["10.9.0.1/24"], default: {} }, eth1: ETH1 });
      assert.equal(detectAddress({ kind: "first-found" }, state).found?.interface, "eth1");
    });
  }

  for (const name of ["br0", "br-lan", "bond0", "ens3", "wlp2s0", "eth0.100", "ibmveth2", "vlan7", "wg0"]) {
    it(`may take an address on ${name}`, () => {
      const state = network({ [name]: { addresses: ["10.9.0.1/24"], default: {} }, eth1: ETH1 });
      assert.equal(detectAddress({ kind: "first-found" }, state).found?.interface, name);
    });
  }
});

describe("the detection of a node's IPv6 address", () => {
  const lo = { addresses: ["127.0.0.1/8", ["::1/128", { scope: RT_SCOPE_HOST }]] } as const;
  const viaRouter = { dst: parseCidr("::/0"), gateway: parseIp("fe80::1"), metric: 1024 };
  const linkLocal = ["fe80::2/64", { scope: RT_SCOPE_LINK }] as const;
  const eth0 = { addresses: ["192.168.0.101/24", "fd00:1::101/64", linkLocal], default: viaRouter } as const;
  const eth1 = { addresses: ["fd00:2::5/64"] } as const;
  const rows: readonly (readonly [
    what: string,
    method: string,
    state: NetworkState,
    found: string | undefined,
    reason: string,
  ])[] = [
    [
      "takes the one on the interface with the default route, whatever its gateway's address",
      "first-found",
      network({ lo, eth1, eth0 }),
      "fd00:1::101/64",
      "first-found: eth0 has the default route",
    ],
    [
      "takes none that is made anew each day, or that nothing is to use any more",
      "first-found",
      network({
        eth0: {
          addresses: [
            ["2001:db8::aaaa/64", { passing: "temporary" }],
            ["2001:db8::bbbb/64", { passing: "deprecated" }],
            "2001:db8::cccc/64",
          ],
        },
      }),
      "2001:db8::cccc/64",
      "first-found: eth0 is the only interface with an address to take",
    ],
    [
      "takes one in a prefix",
      "cidr=fd00:2::/64",
      network({ eth0, eth1 }),
      "fd00:2::5/64",
      "cidr=fd00:2::/64: eth1 has an address in fd00:2::/64",
    ],
    [
      "goes by the way to an address",
      "can-reach=2001:db8::1",
      network({ eth0, eth1 }, { ifIndex: 2, prefSrc: parseIp("fd00:2::5") }),
      "fd00:2::5/64",
      "can-reach=2001:db8::1: packets there leave eth1 from this address",
    ],
    [
      "finds none where there are those of the link alone",
      "first-found",
      network({ eth0: { addresses: [linkLocal] } }),
      undefined,
      "first-found finds none (fe80::2/64 on eth0: it counts on its own network only)",
    ],
    [
      "finds none where all are IPv4",
      "first-found",
      network({ eth0: ETH0 }),
      undefined,
      "first-found finds none (no interface has an IPv6 address)",
    ],
  ];
  for (const [what, method, ipv4State, found, reason] of rows) {
    it(`${what} (${method})`, () => {
      const parsed = methodOf(method, 6);
      const detection = detectAddress(parsed, { ...ipv4State, family: 6 });
      assert.equal(detection.found?.address, found);
      assert.equal(detection.found?.reason ?? describeNone(parsed, detection), reason);
    });
  }
});

function methodOf(text: string, family: Family = 4): DetectionMethod {
  const setting = parseAddressSetting(text, family);
  return setting.kind === "fixed" ? assert.fail(text) : setting;
}
