// SPDX-License-Identifier: Apache-2.0
// Traces of labs, held against what iproute2 says of the same network; and of labs in which something was broken.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemProcesses } from "../../src/system/process.ts";
import { isIpv4 } from "../../src/net/ipv4.ts";
import { explain } from "../../src/trace/explain.ts";
import type { Cause, Fact, Step, Trace } from "../../src/trace/trace.ts";
import { observe } from "../../src/observe/observe.ts";
import type { StationPlace } from "../../src/observe/place.ts";
import {
  type Lab,
  type Outcome,
  MARGAY,
  agentStatus,
  createLab,
  eventually,
  execute,
  killAgent,
  succeed,
} from "./harness.ts";
import { type Mode, setMode } from "./tunnel-harness.ts";

function margayTrace(lab: Lab, ...args: readonly string[]): Promise<Outcome> {
  return execute(MARGAY, ["trace", ...args, "--lab", lab.name]);
}

/** The trace, and that the exit code agrees with it. */
async function traceOf(lab: Lab, ...args: readonly string[]): Promise<Trace> {
  const { code, stdout, stderr } = await margayTrace(lab, ...args, "--json");
  assert.equal(stderr, "");
  const trace = JSON.parse(stdout) as Trace;
  assert.equal(code, trace.ok ? 0 : 1);
  return trace;
}

async function traceThatWorks(lab: Lab, ...args: readonly string[]): Promise<Trace> {
  const trace = await traceOf(lab, ...args);
  assert.deepEqual(trace.fault, null);
  assert.ok(trace.ok);
  return trace;
}

type FactOf<K extends Fact["kind"]> = Fact & { readonly kind: K };

function isOf<K extends Fact["kind"]>(fact: Fact, kind: K): fact is FactOf<K> {
  return fact.kind === kind;
}

function factsOf<K extends Fact["kind"]>(
  { steps }: Trace,
  kind: K,
  { direction, station }: Partial<Pick<Step, "direction" | "station">>,
): readonly FactOf<K>[] {
  return steps
    .filter((step) => direction === undefined || step.direction === direction)
    .filter((step) => station === undefined || step.station === station)
    .flatMap(({ fact }) => (isOf(fact, kind) ? [fact] : []));
}

/** Where the packet was seen, `host1 in calia`, with what each end of a container's link is called. */
async function pointsOf(lab: Lab, { steps }: Trace, direction: "there" | "back"): Promise<readonly string[]> {
  const { containers } = await lab.status();
  const titles = new Map(containers.map((container) => [container.interface, `end-of-${container.name}`]));
  return steps.flatMap(({ station, fact, ...step }) =>
    step.direction === direction && fact.kind === "seen"
      ? [`${station} ${fact.direction} ${titles.get(fact.ifName) ?? fact.ifName}`]
      : [],
  );
}

interface LiveRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev: string;
  /** Absent where it is `boot`. */
  readonly protocol?: string;
}
const PROTOCOLS: Readonly<Record<number, string>> = { 2: "kernel", 3: "boot", 12: "bird", 80: "80" };

/** Every lookup of the trace, and what iproute2 is told of the same packet. */
async function assertRoutes(lab: Lab, trace: Trace): Promise<void> {
  const { steps, probe } = trace;
  let cameBy: string | undefined;
  let count = 0;
  for (const { station, direction, fact } of steps) {
    if (fact.kind === "seen") cameBy = fact.direction === "in" ? fact.ifName : undefined;
    if (fact.kind !== "route") continue;
    const src = direction === "there" ? probe.src : probe.dst;
    const packet = fact.of === "forwarded" ? ["from", src, "iif", cameBy ?? assert.fail()] : [];
    const listed = await lab.exec(station, "ip", "-json", "route", "get", "fibmatch", fact.dst, ...packet);
    const [live] = JSON.parse(listed) as readonly LiveRoute[];
    const { route, ifName } = fact;
    const dst = route.dst === "0.0.0.0/0" ? "default" : route.dst.replace(/\/32$/, "");
    assert.deepEqual(
      { dst, gateway: route.gateway, dev: ifName, protocol: PROTOCOLS[route.protocol] },
      { dst: live?.dst, gateway: live?.gateway, dev: live?.dev, protocol: live?.protocol ?? "boot" },
    );
    count++;
  }
  assert.ok(count >= 4, `only ${count} lookups were shown`);
}

interface LiveNeighbour {
  readonly lladdr?: string;
  readonly state: readonly string[];
}

/** Every neighbour of the trace, as iproute2 lists it; and that the frame that left next went to that address. */
async function assertNeighbours(lab: Lab, { steps }: Trace): Promise<void> {
  for (const [index, { station, fact }] of steps.entries()) {
    if (fact.kind !== "neighbour") continue;
    const listed = await lab.exec(
      station,
      "ip",
      "-json",
      "neighbour",
      "show",
      "to",
      fact.ip,
      "dev",
      fact.ifName,
    );
    const [live] = JSON.parse(listed) as readonly LiveNeighbour[];
    assert.equal(fact.mac, live?.lladdr);
    assert.equal(fact.origin === "permanent", live?.state.includes("PERMANENT"));
    const next = steps[index + 1]?.fact;
    const headers = next?.kind === "seen" && next.direction === "out" ? next.headers : assert.fail();
    const [ethernet] = headers;
    assert.equal(ethernet?.kind === "ethernet" ? ethernet.dst : undefined, fact.mac);
  }
}

/** The TTL at each capture point of one way: every station that forwards takes one away. */
function ttlsOf(trace: Trace, direction: "there" | "back"): readonly number[] {
  return factsOf(trace, "seen", { direction }).map(({ headers }) => {
    const inner = headers.findLast((header) => header.kind === "ipv4");
    return inner?.ttl ?? assert.fail();
  });
}

async function settle(lab: Lab, mode: Mode, isInForce: () => Promise<boolean>): Promise<void> {
  await setMode(lab, mode);
  await eventually(async () => {
    const statuses = await Promise.all(["host1", "host2"].map((host) => agentStatus(lab, host)));
    return (await isInForce()) && statuses.every(({ ready, degraded }) => ready && degraded.length === 0);
  }, "the mode in force");
}

describe("a trace", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab();
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it("from a container to another on its node is what the live network does", async () => {
    const trace = await traceThatWorks(lab, "a", "b");
    assert.deepEqual(await pointsOf(lab, trace, "there"), [
      "a out eth0",
      "host1 in end-of-a",
      "host1 out end-of-b",
      "b in eth0",
    ]);
    assert.deepEqual(await pointsOf(lab, trace, "back"), [
      "b out eth0",
      "host1 in end-of-b",
      "host1 out end-of-a",
      "a in eth0",
    ]);
    await assertRoutes(lab, trace);
    await assertNeighbours(lab, trace);
    assert.deepEqual(ttlsOf(trace, "there"), [64, 64, 63, 63]);
    const [own] = factsOf(trace, "route", { station: "a" });
    assert.deepEqual([own?.of, own?.isHostAddress, own?.route.gateway], ["own", true, "169.254.1.1"]);
    assert.deepEqual(
      factsOf(trace, "neighbour", {}).map(({ origin }) => origin),
      ["permanent", "permanent", "permanent", "permanent"],
    );
  });

  it("from a container to one on another node shows the route that BIRD has learnt", async () => {
    const trace = await traceThatWorks(lab, "a", "d");
    assert.deepEqual(await pointsOf(lab, trace, "there"), [
      "a out eth0",
      "host1 in end-of-a",
      "host1 out eth0",
      "host2 in eth0",
      "host2 out end-of-d",
      "d in eth0",
    ]);
    await assertRoutes(lab, trace);
    await assertNeighbours(lab, trace);
    assert.deepEqual(ttlsOf(trace, "there"), [64, 64, 63, 63, 62, 62]);
    assert.deepEqual(ttlsOf(trace, "back"), [64, 64, 63, 63, 62, 62]);
    const [forwarded] = factsOf(trace, "route", { station: "host1", direction: "there" });
    assert.deepEqual([forwarded?.route.gateway, forwarded?.route.protocol], ["192.168.0.102", 12]);
    const times = factsOf(trace, "seen", {}).map(({ atUs }) => atUs);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
  });

  it("is text in the order of the data path", async () => {
    const { code, stdout } = await margayTrace(lab, "a", "d");
    assert.equal(code, 0, stdout);
    const wanted = [
      /^a \(10\.1\.\S+ on host1\) -> d \(10\.1\.\S+ on host2\): ICMP echo of 84 octets/,
      /The way there/,
      /1 {2}a +asked .* default via 169\.254\.1\.1 dev eth0 .* Its own address is a \/32/,
      /2 {2}a +asked .* 169\.254\.1\.1 on eth0 is at ee:ee:ee:ee:ee:ee, by a permanent entry, so without ARP/,
      /host1 +asked .* via 192\.168\.0\.102 dev eth0 \(from BIRD\)/,
      /host2 +asked .* dev cali\w+ \(from Margay\)/,
      /d +seen .* delivered/,
      /The way back/,
      /The path works\.$/m,
    ];
    let rest = stdout;
    for (const line of wanted) {
      const at = rest.search(line);
      assert.ok(at >= 0, `${String(line)} is missing from:\n${stdout}`);
      rest = rest.slice(at + 1);
    }
  });

  it("is of datagrams and of connections too, to ports that are open or closed", async () => {
    const [udp, tcp] = [
      await traceThatWorks(lab, "a", "d", "--proto", "udp", "--port", "4242", "--size", "1400"),
      await traceThatWorks(lab, "a", "d", "--proto", "tcp", "--port", "4242"),
    ];
    const last = (trace: Trace): unknown =>
      factsOf(trace, "seen", { direction: "back" }).at(-1)?.headers.at(-1);
    const closed = last(udp) as { readonly kind: string; readonly code: number };
    assert.deepEqual([closed.kind, closed.code], ["icmp", 3]);
    assert.deepEqual((last(tcp) as { readonly flags: readonly string[] }).flags, ["RST", "ACK"]);
    const server = lab.start("d", "python3", "-m", "http.server", "4243");
    try {
      await eventually(
        async () => (await lab.exec("d", "ss", "-Hlnt", "sport = :4243")) !== "",
        "an open port",
      );
      const open = await traceThatWorks(lab, "a", "d", "--proto", "tcp", "--port", "4243");
      assert.deepEqual((last(open) as { readonly flags: readonly string[] }).flags, ["SYN", "ACK"]);
    } finally {
      server.kill();
    }
  });

  it("never accuses a network that is well, though packets of others pass", async () => {
    const ping = lab.start("a", "ping", "-n", "-i", "0.002", await lab.address("d"));
    try {
      const { hosts, containers } = await lab.status();
      const netnsPath = (netns: string): string => `/run/netns/${netns}`;
      const nodes = hosts.map(({ name, netns }): StationPlace => ({
        name,
        kind: "node",
        netnsPath: netnsPath(netns),
      }));
      const ends = containers.map(({ name, host, netns, interface: ifName, addresses }) => {
        const [address = ""] = addresses;
        const place = { name, kind: "container", netnsPath: netnsPath(netns) } as const;
        return {
          place: { ...place, attachment: { node: host, ifName } } satisfies StationPlace,
          address: isIpv4(address) ? address : assert.fail(),
        };
      });
      const signal = new AbortController().signal;
      for (let run = 0; run < 50; run++) {
        const [from, to] = [ends[run % 4] ?? assert.fail(), ends[(run + 1 + (run % 3)) % 4] ?? assert.fail()];
        const kind = (["icmp", "udp", "tcp"] as const)[run % 3] ?? "icmp";
        const probe = { kind, src: from.address, dst: to.address, packetBytes: 100, port: 4244 };
        const places = [from.place, ...nodes, to.place];
        const observation = await observe(
          { processes: systemProcesses },
          { places, source: from.place, destination: to.place, probe },
          { signal },
        );
        const trace = explain(observation);
        assert.deepEqual(trace.fault, null, `run ${run}`);
        const count = from.place.attachment.node === to.place.attachment.node ? 4 : 6;
        for (const direction of ["there", "back"] as const)
          assert.equal(factsOf(trace, "seen", { direction }).length, count, `run ${run}, ${direction}`);
      }
    } finally {
      ping.kill();
    }
  });

  it("shows the header that IPIP adds, where it is added and where it goes", async () => {
    const d = await lab.address("d");
    const listed = (): Promise<string> => lab.exec("host1", "ip", "route", "show", "match", d);
    await settle(lab, { ipipMode: "Always" }, async () => /dev tunl0|mtu 1480/.test(await listed()));
    const trace = await traceThatWorks(lab, "a", "d");
    for (const [direction, station, src, dst] of [
      ["there", "host1", "192.168.0.101", "192.168.0.102"],
      ["back", "host2", "192.168.0.102", "192.168.0.101"],
    ] as const) {
      const [added] = factsOf(trace, "encapsulated", { direction });
      assert.deepEqual([added?.as, added?.outer.src, added?.outer.dst], ["ipip", src, dst]);
      assert.deepEqual([added?.outer.protocol, added?.outer.length], [4, 104]);
      assert.equal(factsOf(trace, "encapsulated", { direction, station }).length, 1);
      assert.equal(factsOf(trace, "decapsulated", { direction }).length, 1);
    }
    await assertRoutes(lab, trace);
    await assertNeighbours(lab, trace);
  });

  it("shows the headers that VXLAN adds, and the lookup for the outer packet", async () => {
    const d = await lab.address("d");
    const listed = (): Promise<string> => lab.exec("host1", "ip", "route", "get", d);
    await settle(lab, { vxlanMode: "Always" }, async () => (await listed()).includes("dev vxlan.calico"));
    const trace = await traceThatWorks(lab, "a", "d");
    assert.deepEqual(await pointsOf(lab, trace, "there"), [
      "a out eth0",
      "host1 in end-of-a",
      "host1 out vxlan.calico",
      "host1 out eth0",
      "host2 in eth0",
      "host2 in vxlan.calico",
      "host2 out end-of-d",
      "d in eth0",
    ]);
    const [added] = factsOf(trace, "encapsulated", { direction: "there" });
    assert.deepEqual(
      [added?.as, added?.by, added?.outer.src, added?.outer.dst, added?.outer.length],
      ["vxlan", "vxlan.calico", "192.168.0.101", "192.168.0.102", 134],
    );
    assert.equal(factsOf(trace, "route", { station: "host1", direction: "there" })[1]?.of, "outer");
    await assertRoutes(lab, trace);
    await assertNeighbours(lab, trace);
  });
});

/** Commands on hosts and in containers; the first word says where. */
type Commands = readonly (readonly [where: string, ...command: string[]])[];

interface Break {
  readonly name: string;
  readonly commands: (network: Network) => Commands;
  /** What mends it. */
  readonly undo: (network: Network) => Commands;
  readonly to?: (network: Network) => string;
  readonly args?: readonly string[];
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
    remedy: /nft list ruleset/,
  },
  {
    name: "an underlay that takes shorter packets only",
    commands: () => [["host1", "ip", "link", "set", "eth0", "mtu", "1000"]],
    undo: () => [["host1", "ip", "link", "set", "eth0", "mtu", "1500"]],
    args: ["--size", "1400"],
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

describe("a trace of a path that is broken", () => {
  let lab: Lab;
  let network: Network;
  before(async () => {
    lab = await createLab({ routeSource: "datastore" });
    const [a, d] = [await lab.address("a"), await lab.address("d")];
    const { interface: endOfA } = await lab.container("a");
    const blockOf = async (host: string, address: string): Promise<string> => {
      const listed = await lab.exec(host, "ip", "-json", "route", "get", "fibmatch", address);
      const [route] = JSON.parse(listed) as readonly LiveRoute[];
      return route?.dst ?? assert.fail();
    };
    network = { a, d, endOfA, blockOfA: await blockOf("host2", a), blockOfD: await blockOf("host1", d) };
    // They would mend what is broken here, and networks go on without them.
    for (const host of ["host2", "host1"]) await killAgent(lab, host);
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  async function run(commands: Commands): Promise<void> {
    for (const [where, ...command] of commands) await lab.exec(where, ...command);
  }

  for (const { name, commands, undo, to, args = [], cause, at, remedy } of BREAKS)
    it(`ends at the place of ${name}`, async () => {
      await run(commands(network));
      try {
        const { fault } = await traceOf(lab, "a", to?.(network) ?? "d", ...args);
        assert.deepEqual([fault?.cause, fault?.station], [cause, at], fault?.text);
        assert.match(fault?.remedy ?? "", remedy);
      } finally {
        await run(undo(network));
      }
      await eventually(async () => (await traceOf(lab, "a", "d")).ok, "the path mended");
    });

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
});

describe("a trace of a lab whose other host has died", () => {
  it("ends where BIRD has withdrawn the route, and says that BIRD does not run there", async () => {
    await using lab = await createLab();
    const { bird } = await lab.host("host2");
    await killAgent(lab, "host2");
    process.kill(bird?.pid ?? assert.fail(), "SIGTERM");
    await eventually(
      async () => (await traceOf(lab, "a", "d")).fault?.cause === "noRoute",
      "the route withdrawn",
    );
    const { fault } = await traceOf(lab, "a", "d");
    assert.equal(fault?.station, "host1");
    assert.match(fault.text, /on "host2", where the agent and BIRD do not run/);
  });
});

describe("a trace through WireGuard", () => {
  it("shows the device that encrypts, and that the underlay shows nothing", async () => {
    const topology = new URL("./three-hosts-wireguard.yaml", import.meta.url).pathname;
    await using lab = await createLab({ topology });
    const { containers } = await lab.status();
    const [first, other] = [containers[0], containers.find(({ host }) => host !== containers[0]?.host)];
    await eventually(
      async () =>
        (await lab.exec(first?.host ?? "", "ip", "route", "get", other?.addresses[0] ?? "")).includes(
          "wireguard.cali",
        ),
      "the way through WireGuard",
    );
    const trace = await traceThatWorks(lab, first?.name ?? "", other?.name ?? "");
    assert.deepEqual(
      factsOf(trace, "encrypted", {}).map(({ ifName }) => ifName),
      ["wireguard.cali", "wireguard.cali"],
    );
    const points = await pointsOf(lab, trace, "there");
    assert.equal(points.length, 6);
    assert.equal(points.filter((point) => point.endsWith(" wireguard.cali")).length, 2);
  });
});

describe("the command", () => {
  it("says what is wrong with how it was called", async () => {
    const rows: readonly (readonly [args: readonly string[], code: number, text: RegExp])[] = [
      [["a"], 2, /missing required argument 'destination'/],
      [["a", "b", "--proto", "sctp"], 2, /Allowed choices are icmp, tcp, udp/],
      [["a", "b", "--port", "80"], 2, /ICMP has no ports/],
      [["a", "b", "--proto", "tcp"], 2, /want "--port"/],
      [["a", "b", "--proto", "tcp", "--port", "0"], 2, /want 1 to 65535/],
      [["a", "b", "--size", "1e3"], 2, /want 28 to 65535/],
      [["10.1.0.1", "b"], 2, /want an IPv4 address/],
      [["a", "b", "--lab", `none${process.pid}`], 1, /it is not up/],
      [["192.0.2.1", "192.0.2.2"], 1, /no container of this node has that address/],
    ];
    for (const [args, wanted, text] of rows) {
      const { code, stderr } = await execute(MARGAY, ["trace", ...args]);
      assert.equal(code, wanted, args.join(" "));
      assert.match(stderr, text);
    }
  });

  it("works on a node, which knows its containers by its routes", async () => {
    await using lab = await createLab();
    const [a, b, d] = await Promise.all(["a", "b", "d"].map((name) => lab.address(name)));
    const from = async (...args: readonly string[]): Promise<Trace> => {
      const { netns } = await lab.host("host1");
      const enter = ["netns", "exec", netns, MARGAY, "trace", ...args, "--json"];
      return JSON.parse(await succeed("ip", enter)) as Trace;
    };
    const near = await from(a ?? "", b ?? "");
    assert.equal(near.ok, true);
    assert.deepEqual(near.destination, { ...near.source, name: b, address: b });
    assert.equal(factsOf(near, "delivered", {}).length, 2);
    const far = await from(a ?? "", d ?? "");
    assert.equal(far.ok, true);
    assert.equal(far.destination.name, null);
    assert.equal(factsOf(far, "unobserved", { direction: "there" }).length, 1);
    assert.equal(factsOf(far, "delivered", { direction: "back" }).length, 1);
  });
});
