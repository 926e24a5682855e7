// SPDX-License-Identifier: Apache-2.0
// Traces of a lab, held against what iproute2 says of the same network, in whatever way packets travel between its hosts.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { traceHealthy } from "../soak/trace-run.ts";
import type { Trace } from "../../src/trace/trace.ts";
import { type Lab, MARGAY, createLab, eventually, execute, killAgent } from "./harness.ts";
import {
  assertNeighbours,
  assertRoutes,
  factsOf,
  margayTrace,
  pointsOf,
  setWay,
  traceOf,
  traceThatWorks,
  ttlsOf,
} from "./trace-harness.ts";

const DUAL_STACK = new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url).pathname;
/** Where a packet from a to d passes that is in no tunnel. */
const FAR = [
  "a out eth0",
  "host1 in end-of-a",
  "host1 out eth0",
  "host2 in eth0",
  "host2 out end-of-d",
  "d in eth0",
];

describe("a trace", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: DUAL_STACK });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  const HOSTS = ["host1", "host2"];
  const forgetNeighbours = async (): Promise<void> => {
    for (const host of HOSTS) await lab.exec(host, "ip", "neigh", "flush", "dev", "eth0");
  };
  /** BIRDs ask for each other's addresses as well, whenever they have something to say. */
  const silenceBgp = async (): Promise<AsyncDisposable> => {
    const drop = "tcp dport 179 drop; tcp sport 179 drop";
    const table = `table inet silence { chain output { type filter hook output priority 0; ${drop}; }; }`;
    for (const host of HOSTS) await lab.exec(host, "nft", table);
    return {
      async [Symbol.asyncDispose]() {
        for (const host of HOSTS) await lab.exec(host, "nft", "delete", "table", "inet", "silence");
      },
    };
  };

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
      await traceThatWorks(lab, "a", "d", { proto: "udp", port: 4242, size: 1400 }),
      await traceThatWorks(lab, "a", "d", { proto: "tcp", port: 4242 }),
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
      const open = await traceThatWorks(lab, "a", "d", { proto: "tcp", port: 4243 });
      assert.deepEqual((last(open) as { readonly flags: readonly string[] }).flags, ["SYN", "ACK"]);
    } finally {
      server.kill();
    }
  });

  it("shows the question that had to be asked, and who answered", async () => {
    await using _silence = await silenceBgp();
    for (const [family, kind] of [
      [4, "arp"],
      [6, "nd"],
    ] as const) {
      await forgetNeighbours();
      const trace = await traceThatWorks(lab, "a", "d", { family });
      const asked = factsOf(trace, "resolution", { station: "host1", direction: "there" });
      assert.deepEqual(
        asked.map(({ direction, headers }) => [direction, headers.at(-1)?.kind]),
        [
          ["out", kind],
          ["in", kind],
        ],
      );
      const [known] = factsOf(trace, "neighbour", { station: "host1", direction: "there" });
      assert.equal(known?.origin, "resolved");
      const told = asked.at(-1)?.headers.at(-1);
      assert.equal(told?.kind === "arp" || told?.kind === "nd" ? told.mac : undefined, known.mac);
    }
    // Whom the neighbour has asked, that knows it from the question.
    await forgetNeighbours();
    const { origin } = factsOf(await traceThatWorks(lab, "a", "d"), "neighbour", {
      station: "host2",
      direction: "back",
    })[0] ?? { origin: "none" };
    assert.equal(origin, "heard");
  });

  it("between IPv6 addresses is what the live network does, by any protocol", async () => {
    const trace = await traceThatWorks(lab, "a", "d", { family: 6 });
    assert.deepEqual(await pointsOf(lab, trace, "there"), FAR);
    await assertRoutes(lab, trace);
    await assertNeighbours(lab, trace);
    assert.deepEqual(ttlsOf(trace, "there"), [64, 64, 63, 63, 62, 62]);
    const [own] = factsOf(trace, "route", { station: "a" });
    assert.deepEqual([own?.isHostAddress, own?.route.gateway], [true, "fe80::ecee:eeff:feee:eeee"]);
    for (const proto of ["udp", "tcp"] as const) {
      const { steps } = await traceThatWorks(lab, "a", "b", { family: 6, proto, port: 4242 });
      assert.ok(steps.some(({ direction, fact }) => direction === "back" && fact.kind === "delivered"));
    }
  });

  it("never accuses a network that is well, though packets of others pass", async () => {
    await traceHealthy(lab, { runs: 20, seed: 1 });
  });

  it("finds its probe in a busy container, loses nothing of its packets, and leaves no socket", async () => {
    const sockets = async (): Promise<readonly string[]> =>
      Promise.all(["a", "host1", "host2", "d"].map((node) => lab.exec(node, "cat", "/proc/net/packet")));
    const before = await sockets();
    const busy = lab.exec("a", "ping", "-n", "-q", "-i", "0.001", "-c", "2000", await lab.address("d"));
    const over = new AbortController();
    const told = busy.finally(() => {
      over.abort();
    });
    for (let count = 0; !over.signal.aborted || count < 3; count++) await traceThatWorks(lab, "a", "d");
    assert.match(await told, /2000 packets transmitted, 2000 received, .*0% packet loss/);
    const counted = (tables: readonly string[]): readonly number[] =>
      tables.map((table) => table.trim().split("\n").length);
    assert.deepEqual(counted(await sockets()), counted(before));
  });

  it("shows the header that IPIP adds, where it is added and where it goes", async () => {
    await setWay(lab, "IPIP");
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
    await traceHealthy(lab, { runs: 10, seed: 2 });
  });

  it("shows the headers that VXLAN adds, and the lookup for the outer packet", async () => {
    await setWay(lab, "VXLAN");
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
    const [sent] = factsOf(trace, "forwarding", { station: "host1" });
    assert.equal(sent?.node, "192.168.0.102");
    const entries = await lab.exec("host1", "bridge", "fdb", "show", "dev", "vxlan.calico");
    assert.match(entries, new RegExp(`${sent.mac} dst 192\\.168\\.0\\.102`));
  });

  it("shows the headers that VXLAN over IPv6 adds", async () => {
    const trace = await traceThatWorks(lab, "a", "d", { family: 6 });
    for (const direction of ["there", "back"] as const) {
      const [added] = factsOf(trace, "encapsulated", { direction });
      assert.deepEqual(
        [added?.as, added?.by, added?.outer.kind, added?.outer.length],
        ["vxlan", "vxlan-v6.calico", "ipv6", 154],
      );
    }
    await assertRoutes(lab, trace);
    await assertNeighbours(lab, trace);
    await traceHealthy(lab, { runs: 10, seed: 3 });
  });

  it("shows the device that WireGuard encrypts with, for whom, and that the underlay shows nothing", async () => {
    await setWay(lab, "WireGuard");
    const trace = await traceThatWorks(lab, "a", "d");
    assert.deepEqual(
      factsOf(trace, "encrypted", {}).map(({ ifName }) => ifName),
      ["wireguard.cali", "wireguard.cali"],
    );
    assert.deepEqual(
      trace.steps.flatMap(({ station, fact }) => (fact.kind === "decrypted" ? [station] : [])),
      ["host2", "host1"],
    );
    const points = await pointsOf(lab, trace, "there");
    assert.equal(points.length, 6);
    assert.equal(points.filter((point) => point.endsWith(" wireguard.cali")).length, 2);
    const [peer] = factsOf(trace, "peer", { direction: "there" });
    assert.match(peer?.endpoint ?? "", /^192\.168\.0\.102:\d+$/);
    assert.equal(peer?.allowedIp, factsOf(trace, "route", { station: "host1" })[0]?.route.dst);
    await traceHealthy(lab, { runs: 10, seed: 4 });
  });

  it("ends where BIRD has withdrawn the route of a host that died, and says that BIRD does not run there", async () => {
    await setWay(lab, "BGP");
    const { bird } = await lab.host("host2");
    await killAgent(lab, "host2");
    process.kill(bird?.pid ?? assert.fail(), "SIGTERM");
    // It has withdrawn its routes a moment before it has ended.
    await eventually(async () => (await lab.host("host2")).bird === null, "the end of BIRD");
    await eventually(
      async () => (await traceOf(lab, "a", "d")).fault?.cause === "noRoute",
      "the route withdrawn",
    );
    const { fault } = await traceOf(lab, "a", "d");
    assert.equal(fault?.station, "host1");
    assert.match(fault.text, /on "host2", where the agent and BIRD do not run/);
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
      [["10.1.0.1", "fd10::1"], 2, /want an IPv4 address/],
      [["fd10::1", "fd10::2", "--size", "40"], 1, /no container of this node has that address/],
      [["a", "b", "--lab", `none${process.pid}`], 1, /it is not up/],
      [["192.0.2.1", "192.0.2.2"], 1, /no container of this node has that address/],
    ];
    const outcomes = await Promise.all(rows.map(([args]) => execute(MARGAY, ["trace", ...args])));
    for (const [index, { code, stderr }] of outcomes.entries()) {
      const [args, wanted, text] = rows[index] ?? assert.fail();
      assert.equal(code, wanted, args.join(" "));
      assert.match(stderr, text);
    }
  });
});
