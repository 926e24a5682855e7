// SPDX-License-Identifier: Apache-2.0
// Traces of labs in which something was broken: each ends at the place where it broke, and names the cause.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Cause } from "../../src/trace/trace.ts";
import { type Lab, createLab, eventually, killAgent } from "./harness.ts";
import { type LiveRoute, type TraceOptions, margayTrace, setWay, traceOf } from "./trace-harness.ts";

const DUAL_STACK = new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url).pathname;

/** Commands on hosts and in containers; the first word says where. */
type Commands = readonly (readonly [where: string, ...command: string[]])[];

interface Break {
  readonly name: string;
  readonly commands: (network: Network) => Commands;
  /** What mends it. */
  readonly undo: (network: Network) => Commands;
  readonly to?: (network: Network) => string;
  readonly options?: TraceOptions;
  readonly cause: Cause;
  readonly at: string;
  readonly remedy: RegExp;
}

/** What commands need to know of the lab. */
interface Network {
  readonly a: string;
  readonly d: string;
  readonly endOfA: string;
  readonly blockOfA: string;
  readonly blockOfD: string;
  readonly endOfD: string;
  /** Of its VXLAN device, while it has one. */
  readonly macOfHost2: string;
}

/** Has a container know its gateway for good again. */
const GATEWAY_ENTRY =
  "ip neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee nud permanent dev eth0".split(" ");

const BREAKS: readonly Break[] = [
  {
    name: "a container without its route",
    commands: () => [["a", "ip", "route", "del", "default"]],
    undo: () => [["a", "ip", "route", "add", "default", "via", "169.254.1.1", "dev", "eth0"]],
    cause: "noRoute",
    at: "a",
    remedy: /ip route add default/,
  },
  {
    name: "a container whose link is switched off inside",
    commands: () => [["a", "ip", "link", "set", "eth0", "down"]],
    undo: () => [
      ["a", "ip", "link", "set", "eth0", "up"],
      ["a", "ip", "route", "replace", "169.254.1.1", "dev", "eth0", "scope", "link"],
      ["a", "ip", "route", "replace", "default", "via", "169.254.1.1", "dev", "eth0"],
      ["a", ...GATEWAY_ENTRY],
    ],
    cause: "linkDown",
    at: "a",
    remedy: /ip link set eth0 up/,
  },
  {
    name: "a container's link that is switched off on the node",
    commands: ({ endOfA }) => [["host1", "ip", "link", "set", endOfA, "down"]],
    undo: ({ endOfA, a }) => [
      ["host1", "ip", "link", "set", endOfA, "up"],
      ["host1", "ip", "route", "replace", a, "dev", endOfA, "scope", "link", "proto", "80"],
    ],
    cause: "linkDown",
    at: "host1",
    remedy: /ip link set cali\w+ up/,
  },
  {
    name: "proxy ARP that is off where the permanent entry is gone",
    commands: ({ endOfA }) => [
      ["host1", "sysctl", "-q", "-w", `net.ipv4.conf.${endOfA}.proxy_arp=0`],
      ["a", "ip", "neighbour", "del", "169.254.1.1", "dev", "eth0"],
    ],
    undo: ({ endOfA }) => [
      ["host1", "sysctl", "-q", "-w", `net.ipv4.conf.${endOfA}.proxy_arp=1`],
      ["a", ...GATEWAY_ENTRY],
    ],
    cause: "proxyArp",
    at: "host1",
    remedy: /proxy_arp=1/,
  },
  {
    name: "a node that does not forward",
    commands: () => [["host1", "sysctl", "-q", "-w", "net.ipv4.ip_forward=0"]],
    undo: () => [["host1", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1"]],
    cause: "forwardingOff",
    at: "host1",
    remedy: /net\.ipv4\.ip_forward=1/,
  },
  {
    name: "an address of the node's own block that nobody has",
    commands: () => [],
    undo: () => [],
    // Blocks have 64 addresses.
    to: ({ a }) => a.replace(/\d+$/, (octet) => String((Number(octet) & 0xc0) | 60)),
    cause: "blackhole",
    at: "host1",
    remedy: /margay ipam show --ip=/,
  },
  {
    name: "a reverse-path filter that finds the way back elsewhere",
    commands: ({ a, endOfA }) => [
      ["host1", "sysctl", "-q", "-w", `net.ipv4.conf.${endOfA}.rp_filter=1`],
      ["host1", "ip", "route", "del", a, "dev", endOfA],
    ],
    undo: ({ a, endOfA }) => [
      ["host1", "sysctl", "-q", "-w", `net.ipv4.conf.${endOfA}.rp_filter=0`],
      ["host1", "ip", "route", "replace", a, "dev", endOfA, "scope", "link", "proto", "80"],
    ],
    cause: "reversePath",
    at: "host1",
    remedy: /rp_filter=0/,
  },
  {
    name: "a check of source addresses that does not know the container",
    commands: ({ a, endOfA }) => [
      ["host1", "nft", `delete element inet margay-source own4 { "${endOfA}" . ${a} }`],
    ],
    undo: ({ a, endOfA }) => [["host1", "nft", `add element inet margay-source own4 { "${endOfA}" . ${a} }`]],
    cause: "sourceCheck",
    at: "host1",
    remedy: /workloadendpoints/,
  },
  {
    name: "somebody's firewall on a node",
    commands: () => [
      [
        "host1",
        "nft",
        "table ip other { chain forward { type filter hook forward priority 0; ip protocol icmp drop; }; }",
      ],
    ],
    undo: () => [["host1", "nft", "delete table ip other"]],
    cause: "dropped",
    at: "host1",
    remedy: /nft -a list table ip other/,
  },
  {
    name: "an underlay that takes shorter packets only",
    commands: () => [["host1", "ip", "link", "set", "eth0", "mtu", "1000"]],
    undo: () => [["host1", "ip", "link", "set", "eth0", "mtu", "1500"]],
    options: { size: 1400 },
    cause: "mtu",
    at: "host1",
    remedy: /1000 octets or less/,
  },
  {
    name: "another host that is off the network",
    commands: () => [["host2", "ip", "link", "set", "eth0", "down"]],
    undo: ({ blockOfA }) => [
      ["host2", "ip", "link", "set", "eth0", "up"],
      ["host2", "ip", "route", "replace", blockOfA, "via", "192.168.0.101", "proto", "80"],
    ],
    cause: "linkDown",
    at: "host2",
    remedy: /ip link set eth0 up/,
  },
  {
    name: "a next hop that nobody is",
    commands: ({ blockOfD }) => [
      ["host1", "ip", "route", "add", blockOfD, "via", "192.168.0.250", "metric", "1"],
    ],
    undo: ({ blockOfD }) => [
      ["host1", "ip", "route", "del", blockOfD, "via", "192.168.0.250", "metric", "1"],
    ],
    cause: "neighbour",
    at: "host1",
    remedy: /ping 192\.168\.0\.250/,
  },
  {
    name: "a container that may not answer",
    commands: () => [["d", "sysctl", "-q", "-w", "net.ipv4.icmp_echo_ignore_all=1"]],
    undo: () => [["d", "sysctl", "-q", "-w", "net.ipv4.icmp_echo_ignore_all=0"]],
    cause: "noAnswer",
    at: "d",
    remedy: /icmp_echo_ignore_all=0/,
  },
];

const FORWARDING6 = "net.ipv6.conf.all.forwarding";
const GATEWAY6 = "fe80::ecee:eeff:feee:eeee";

const MORE_BREAKS: readonly Break[] = [
  {
    name: "an underlay that loses it",
    commands: ({ d }) => [
      [
        "underlay",
        "nft",
        `table bridge other { chain f { type filter hook forward priority 0; ip daddr ${d} drop; }; }`,
      ],
    ],
    undo: () => [["underlay", "nft", "delete table bridge other"]],
    cause: "lost",
    at: "host1",
    remedy: /ping 192\.168\.0\.102/,
  },
  {
    name: "two hosts that each send it to the other",
    commands: ({ d }) => [["host2", "ip", "route", "replace", d, "via", "192.168.0.101", "dev", "eth0"]],
    undo: ({ d, endOfD }) => [
      ["host2", "ip", "route", "del", d, "via", "192.168.0.101"],
      ["host2", "ip", "route", "replace", d, "dev", endOfD, "scope", "link", "proto", "80"],
    ],
    cause: "hopLimit",
    at: "host2",
    remedy: /every node that the packet passed/,
  },
  {
    name: "a container without its IPv6 route",
    commands: () => [["a", "ip", "-6", "route", "del", "default"]],
    undo: () => [["a", "ip", "-6", "route", "add", "default", "via", GATEWAY6, "dev", "eth0"]],
    options: { family: 6 },
    cause: "noRoute",
    at: "a",
    remedy: /default via fe80::ecee:eeff:feee:eeee/,
  },
  {
    name: "a node that does not forward IPv6",
    commands: () => [["host1", "sysctl", "-q", "-w", `${FORWARDING6}=0`]],
    undo: () => [["host1", "sysctl", "-q", "-w", `${FORWARDING6}=1`]],
    options: { family: 6 },
    cause: "forwardingOff",
    at: "host1",
    remedy: /net\.ipv6\.conf\.all\.forwarding=1/,
  },
  {
    name: "a node's end without the gateway's address, where the permanent entry is gone",
    commands: ({ endOfA }) => [
      ["host1", "ip", "address", "del", `${GATEWAY6}/64`, "dev", endOfA],
      ["a", "ip", "neighbour", "del", GATEWAY6, "dev", "eth0"],
    ],
    undo: ({ endOfA }) => [
      ["host1", "ip", "address", "add", `${GATEWAY6}/64`, "dev", endOfA],
      ["a", ...`ip neighbour replace ${GATEWAY6} lladdr ee:ee:ee:ee:ee:ee nud permanent dev eth0`.split(" ")],
    ],
    options: { family: 6 },
    cause: "neighbour",
    at: "host1",
    remedy: /ip address add fe80::ecee:eeff:feee:eeee/,
  },
];

const TUNNEL_BREAKS: readonly Break[] = [
  {
    name: "a guard of tunnels that does not know the sender",
    commands: () => [["host2", "nft", "delete element ip margay nodes { 192.168.0.101 }"]],
    undo: () => [["host2", "nft", "add element ip margay nodes { 192.168.0.101 }"]],
    cause: "tunnelGuard",
    at: "host2",
    remedy: /margay get nodes/,
  },
  {
    name: "a tunnel that has no entry for the other node",
    commands: ({ macOfHost2 }) => [["host1", "bridge", "fdb", "del", macOfHost2, "dev", "vxlan.calico"]],
    undo: ({ macOfHost2 }) => [
      ["host1", ...`bridge fdb add ${macOfHost2} dev vxlan.calico dst 192.168.0.102`.split(" ")],
    ],
    cause: "tunnel",
    at: "host1",
    remedy: /bridge fdb show/,
  },
];

describe("a trace of a path that is broken", () => {
  let lab: Lab;
  let network: Network;
  before(async () => {
    lab = await createLab({ routeSource: "datastore", topology: DUAL_STACK });
    const [a, d] = [await lab.address("a"), await lab.address("d")];
    const { interface: endOfA } = await lab.container("a");
    const { interface: endOfD } = await lab.container("d");
    const blockOf = async (host: string, address: string): Promise<string> => {
      const listed = await lab.exec(host, "ip", "-json", "route", "get", "fibmatch", address);
      const [route] = JSON.parse(listed) as readonly LiveRoute[];
      return route?.dst ?? assert.fail();
    };
    network = {
      ...{ a, d, endOfA, endOfD },
      blockOfA: await blockOf("host2", a),
      blockOfD: await blockOf("host1", d),
      macOfHost2: "",
    };
    // They would mend what is broken here, and networks go on without them.
    for (const host of ["host2", "host1"]) await killAgent(lab, host);
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  async function run(commands: Commands): Promise<void> {
    for (const [where, ...command] of commands) await lab.exec(where, ...command);
  }

  function endsAt({ name, commands, undo, to, options, cause, at, remedy }: Break): void {
    it(`ends at the place of ${name}`, async () => {
      await run(commands(network));
      try {
        const { fault } = await traceOf(lab, "a", to?.(network) ?? "d", options);
        assert.deepEqual([fault?.cause, fault?.station], [cause, at], fault?.text);
        assert.match(fault?.remedy ?? "", remedy);
      } finally {
        await run(undo(network));
      }
      await eventually(async () => (await traceOf(lab, "a", "d", options)).ok, "the path mended");
    });
  }

  // A link that is switched off loses its IPv6 addresses for good: those of IPv6 come first.
  [...MORE_BREAKS, ...BREAKS].forEach(endsAt);

  it("ends on the node whose route has been withdrawn, and names who does not announce it", async () => {
    await lab.exec("host1", "ip", "route", "del", network.blockOfD);
    const { fault, steps } = await traceOf(lab, "a", "d");
    assert.deepEqual([fault?.cause, fault?.station, fault?.direction], ["noRoute", "host1", "there"]);
    assert.match(fault?.text ?? "", /on "host2", where the agent does not run/);
    assert.match(fault?.text ?? "", /"host1" says so itself: ICMP network unreachable/);
    assert.match(fault?.remedy ?? "", /Start the agent of "host2"/);
    assert.deepEqual(
      steps.map(({ station, fact }) => `${station} ${fact.kind}`),
      ["a route", "a neighbour", "a seen", "host1 seen"],
    );
    const { code, stdout } = await margayTrace(lab, "a", "d");
    assert.equal(code, 1);
    assert.match(stdout, /^It ends at host1, on the way there\.\n {2}Cause: .*\n {2}Remedy: /m);
  });

  it("ends on the way back, where that is what is broken", async () => {
    const { fault, steps } = await traceOf(lab, "d", "a");
    assert.deepEqual([fault?.cause, fault?.station, fault?.direction], ["noRoute", "host1", "back"]);
    assert.ok(steps.some(({ direction, fact }) => direction === "there" && fact.kind === "delivered"));
  });

  describe("through a tunnel", () => {
    before(async () => {
      await lab.repair();
      await setWay(lab, "VXLAN");
      const table = await lab.exec("host1", "bridge", "fdb", "show", "dev", "vxlan.calico");
      const [, macOfHost2 = ""] = /^(\S+) dst 192\.168\.0\.102/m.exec(table) ?? [];
      network = { ...network, macOfHost2 };
      for (const host of ["host2", "host1"]) await killAgent(lab, host);
    });

    TUNNEL_BREAKS.forEach(endsAt);
  });
});
