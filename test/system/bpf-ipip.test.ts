// SPDX-License-Identifier: Apache-2.0
// IPIP by BPF programs between hosts: namespaces with an underlay that is a bridge, and a container each.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { R0, assemble, exit, mov64 } from "../../src/dataplane/bpf/assembler.ts";
import { type IpipTunnel, openIpipTunnel, removeIpipTunnel } from "../../src/dataplane/bpf/ipip-tunnel.ts";
import { loadProgram } from "../../src/dataplane/bpf/program.ts";
import { type Netns, openNetns } from "../../src/dataplane/netlink/netns.ts";
import { type Rtnetlink, openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { replaceBpfFilter } from "../../src/dataplane/netlink/traffic-control.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { type Ipv4, parseIpv4 } from "../../src/net/ipv4.ts";
import { type Outcome, execute, lossOf, succeed } from "./harness.ts";
import { succeed as carryOut, linkNamed } from "./netlink-harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";
import { STREAM, capture, startReceiver } from "./traffic.ts";

const CHILD = fileURLToPath(new URL("./bpf-ipip.child.ts", import.meta.url));
const PREFIX = `mbp${process.pid}`;
/** What is left of the underlay's 1500. */
const MTU = 1480;
/** How often programs are replaced while packets flow. */
const REPLACEMENTS = 25;

const nodeOf = (number: number): Ipv4 => parseIpv4(`192.168.0.10${number}`);
const containerOf = (number: number): string => `10.1.${number}.2`;
const host = (number: number): string => `${PREFIX}h${number}`;
const container = (number: number): string => `${PREFIX}c${number}`;
const UNDERLAY = `${PREFIX}u`;
/** The third host is a stranger to the second. */
const HOSTS = [1, 2, 3];

function ip(...words: readonly string[]): void {
  for (const command of words) execFileSync("ip", command.split(" "));
}

function inside(namespace: string, ...command: readonly string[]): Promise<string> {
  return succeed("ip", ["netns", "exec", namespace, ...command]);
}

function buildUnderlay(): void {
  ip(`netns add ${UNDERLAY}`, `-n ${UNDERLAY} link add br0 type bridge`, `-n ${UNDERLAY} link set br0 up`);
}

function buildHost(number: number): void {
  const [h, c] = [host(number), container(number)];
  ip(
    `netns add ${h}`,
    `netns add ${c}`,
    `-n ${h} link add eth0 type veth peer name h${number} netns ${UNDERLAY}`,
    `-n ${UNDERLAY} link set h${number} master br0 up`,
    `-n ${h} link add cali0 type veth peer name eth0 netns ${c}`,
    `-n ${h} link set eth0 up`,
    `-n ${h} link set cali0 up`,
    `-n ${c} link set eth0 up`,
    `-n ${h} address add ${nodeOf(number)}/24 dev eth0`,
    `-n ${h} address add 10.1.${number}.1/24 dev cali0`,
    `-n ${c} address add ${containerOf(number)}/24 dev eth0`,
    `-n ${c} route add default via 10.1.${number}.1`,
    `netns exec ${h} sysctl -qw net.ipv4.ip_forward=1`,
  );
  for (const other of HOSTS.filter((candidate) => candidate !== number))
    ip(`-n ${h} route add 10.1.${other}.0/24 via ${nodeOf(other)} mtu ${MTU}`);
}

function destroy(): void {
  for (const name of [...HOSTS.flatMap((number) => [host(number), container(number)]), UNDERLAY]) {
    try {
      execFileSync("ip", ["netns", "del", name], { stdio: "ignore" });
    } catch {
      // It was never made.
    }
  }
}

interface Node extends AsyncDisposable {
  readonly netns: Netns;
  readonly rtnetlink: Rtnetlink;
  readonly ifIndex: number;
}

async function openNode(number: number): Promise<Node> {
  const netns = openNetns(`/run/netns/${host(number)}`);
  const rtnetlink = openRtnetlink({ netns });
  const { index: ifIndex } = await linkNamed(rtnetlink, parseIfName("eth0"));
  return {
    netns,
    rtnetlink,
    ifIndex,
    async [Symbol.asyncDispose]() {
      await rtnetlink[Symbol.asyncDispose]();
      netns[Symbol.dispose]();
    },
  };
}

async function setUp(number: number, ...blocks: readonly string[]): Promise<void> {
  await using node = await openNode(number);
  await succeed(process.execPath, [CHILD, host(number), String(node.ifIndex), nodeOf(number), ...blocks]);
}

async function withTunnel<T>(
  number: number,
  action: (tunnel: IpipTunnel, node: Node) => Promise<T>,
): Promise<T> {
  await using node = await openNode(number);
  using tunnel = await openIpipTunnel(node);
  return await action(tunnel, node);
}

function ping(from: number, to: number, ...options: readonly string[]): Promise<Outcome> {
  const args = [
    "netns",
    "exec",
    container(from),
    "ping",
    "-n",
    "-W",
    PING_PATIENCE_S,
    ...options,
    containerOf(to),
  ];
  return execute("ip", args);
}

async function assertPing(from: number, to: number, ...options: readonly string[]): Promise<void> {
  const { code, stdout } = await ping(from, to, "-c", "3", "-i", "0.05", ...options);
  assert.equal(code, 0, stdout);
  assert.match(stdout, / 0% packet loss/);
}

interface Counters {
  readonly bytes: number;
  readonly packets: number;
}

async function sent(number: number): Promise<Counters> {
  const text = await succeed("ip", ["-n", host(number), "-json", "-s", "link", "show", "eth0"]);
  const [link] = JSON.parse(text) as { stats64: { tx: Counters } }[];
  return link?.stats64.tx ?? assert.fail();
}

describe("IPIP by BPF programs", () => {
  before(async () => {
    buildUnderlay();
    for (const number of HOSTS) buildHost(number);
    await setUp(1, `${nodeOf(2)}=10.1.2.0/24`);
    await setUp(2, `${nodeOf(1)}=10.1.1.0/24`);
    await setUp(3, `${nodeOf(2)}=10.1.2.0/24`);
  });
  after(destroy);

  it("carries packets that the underlay sees as protocol 4 between nodes, after the process that set it up", async () => {
    const captured = await capture(host(2), 2, "proto 4");
    await assertPing(1, 2, "-Q", "0xb9");
    const [request = "", answer = ""] = (await captured()).split(/\n(?=\S)/);
    const outer = String.raw`tos 0xb9,ECT\(1\), ttl 64, id \d+, offset 0, flags \[DF\], proto IPIP \(4\), length 104\)`;
    const addresses = String.raw`192\.168\.0\.101 > 192\.168\.0\.102: IP \(tos 0xb9,ECT\(1\), ttl 63,`;
    assert.match(request, new RegExp(String.raw`${outer}\s+${addresses}`));
    assert.match(request, /10\.1\.1\.2 > 10\.1\.2\.2: ICMP echo request/);
    assert.match(
      answer,
      /192\.168\.0\.102 > 192\.168\.0\.101: IP .*\n?.*10\.1\.2\.2 > 10\.1\.1\.2: ICMP echo reply/,
    );
  });

  it("carries a stream in packets larger than the interface's MTU", async () => {
    await using receiver = await startReceiver(container(2));
    const start = await sent(1);
    const line = receiver.line();
    const told = await inside(container(1), process.execPath, STREAM, "tcp", containerOf(2), "64");
    assert.equal(await line, told.trim());
    const end = await sent(1);
    assert.ok((end.packets - start.packets) * 1500 < end.bytes - start.bytes, JSON.stringify({ start, end }));
  });

  it("carries a stream that is cut into segments behind the programs", async () => {
    await inside(host(1), "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "tx", "off");
    try {
      await using receiver = await startReceiver(container(2));
      const captured = await capture(host(2), 20, "proto 4 and src 192.168.0.101 and greater 1500");
      const line = receiver.line();
      const told = await inside(container(1), process.execPath, STREAM, "tcp", containerOf(2), "16");
      assert.equal(await line, told.trim());
      const lengths = Array.from(
        (await captured()).matchAll(/proto IPIP \(4\), length (\d+)/g),
        ([, length]) => Number(length),
      );
      assert.deepEqual(new Set(lengths), new Set([1500]));
    } finally {
      await inside(host(1), "ethtool", "-K", "eth0", "tso", "on", "gso", "on", "tx", "on");
    }
  });

  it("carries datagrams that were sent as one large packet", async () => {
    await using receiver = await startReceiver(container(2));
    const start = await sent(1);
    const line = receiver.line();
    await inside(container(1), process.execPath, STREAM, "udp", containerOf(2), "1200");
    assert.equal(await line, Array<number>(10).fill(1200).join(" "));
    const { packets } = await sent(1);
    assert.ok(packets - start.packets < 10, `cut before the underlay: ${packets - start.packets} packets`);
  });

  it("carries tunnels that containers have among themselves, cut into segments by them", async () => {
    for (const [from, to] of [
      [1, 2],
      [2, 1],
    ] as const)
      ip(
        `-n ${container(from)} link add vxlan0 mtu 1400 type vxlan id 7 remote ${containerOf(to)} dstport 4789`,
        `-n ${container(from)} address add 172.16.0.${from}/24 dev vxlan0`,
        `-n ${container(from)} link set vxlan0 up`,
      );
    await inside(container(1), "ethtool", "-K", "vxlan0", "gso", "off", "tso", "off");
    await using receiver = await startReceiver(container(2));
    const line = receiver.line();
    const told = await inside(container(1), process.execPath, STREAM, "tcp", "172.16.0.2", "4");
    assert.equal(await line, told.trim());
  });

  it("has a packet that is too big answered by the kernel, or cut where it may be", async () => {
    // A stream may have found out before.
    ip(`-n ${container(1)} route flush cache`);
    await assertPing(1, 2, "-M", "do", "-s", String(MTU - 28));
    const { code, stdout } = await ping(1, 2, "-c", "1", "-M", "do", "-s", String(MTU - 27));
    assert.equal(code, 1);
    assert.match(stdout, /From 10\.1\.1\.1 .*Frag needed and DF set \(mtu = 1480\)/);
    ip(`-n ${container(1)} route flush cache`);
    await assertPing(1, 2, "-M", "dont", "-s", "3000");
  });

  it("answers a packet whose hop limit ends at the second host", async () => {
    const { stdout } = await ping(1, 2, "-c", "1", "-t", "2");
    assert.match(stdout, /From 192\.168\.0\.102 .*Time to live exceeded/);
  });

  it("takes packets from known nodes only", async () => {
    await withTunnel(2, async (tunnel) => {
      tunnel.setBlock(parseCidr("10.1.3.0/24"), nodeOf(3));
      await withTunnel(3, (stranger) => {
        stranger.addNode(nodeOf(2));
        return Promise.resolve();
      });
      const { stdout } = await ping(3, 2, "-c", "3", "-i", "0.05", "-W", "1");
      assert.match(stdout, /3 packets transmitted, 0 received/);
      tunnel.addNode(nodeOf(3));
      await assertPing(3, 2);
      assert.equal(tunnel.deleteNode(nodeOf(3)), true);
      assert.match((await ping(3, 2, "-c", "1", "-W", "1")).stdout, /0 received/);
      assert.equal(tunnel.deleteNode(nodeOf(3)), false);
      assert.equal(tunnel.deleteBlock(parseCidr("10.1.3.0/24")), true);
      assert.equal(tunnel.deleteBlock(parseCidr("10.1.3.0/24")), false);
    });
  });

  it("is found again by a later process, with its tables", async () => {
    await withTunnel(1, (tunnel) => {
      assert.deepEqual(tunnel.blocks(), new Map([[parseCidr("10.1.2.0/24"), nodeOf(2)]]));
      assert.deepEqual(tunnel.nodes(), new Set([nodeOf(2)]));
      return Promise.resolve();
    });
    await assertPing(1, 2);
  });

  it("loses nothing while its programs are replaced", async () => {
    const command = ["ping", "-n", "-i", "0.005", containerOf(2)];
    const pinging = spawn("ip", ["netns", "exec", container(1), ...command], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const { lost } = await lossOf(pinging, async () => {
      for (let count = 0; count < REPLACEMENTS; count++) {
        await withTunnel(1, (tunnel) => tunnel.attach(nodeOf(1)));
        await withTunnel(2, (tunnel) => tunnel.attach(nodeOf(2)));
      }
    });
    assert.equal(lost, 0);
    const filters = await inside(host(1), "tc", "filter", "show", "dev", "eth0", "egress");
    assert.equal(filters.match(/handle .* margay_ipip_out/g)?.length, 1, filters);
  });

  it("knows whether its programs are in place", async () => {
    await withTunnel(1, async (tunnel) => {
      assert.equal(await tunnel.isAttached(), false);
      await tunnel.attach(nodeOf(1));
      assert.equal(await tunnel.isAttached(), true);
      await inside(host(1), "tc", "filter", "del", "dev", "eth0", "egress");
      assert.equal(await tunnel.isAttached(), false);
      await tunnel.attach(nodeOf(1));
      assert.equal(await tunnel.isAttached(), true);
      // By another agent, say.
      await withTunnel(1, (other) => other.attach(nodeOf(1)));
      assert.equal(await tunnel.isAttached(), false);
    });
    await assertPing(1, 2);
  });

  it("refuses to be attached where others are in its place", async () => {
    await withTunnel(3, async (tunnel, node) => {
      await inside(host(3), "tc", "qdisc", "del", "dev", "eth0", "clsact");
      await inside(host(3), "tc", "qdisc", "add", "dev", "eth0", "ingress");
      await assert.rejects(tunnel.attach(nodeOf(3)), {
        message: `Cannot attach tunnel to link ${node.ifIndex}: its discipline for filters is "ingress", want "clsact"`,
      });
      await removeIpipTunnel(node);
      assert.match(await inside(host(3), "tc", "qdisc", "show", "dev", "eth0"), /qdisc ingress/);
      await inside(host(3), "tc", "qdisc", "del", "dev", "eth0", "ingress");
      await tunnel.attach(nodeOf(3));
      const place = { ifIndex: node.ifIndex, direction: "egress", priority: 80, handle: 1 } as const;
      using program = loadProgram("other", assemble([mov64(R0, -1), exit()]));
      await carryOut(node.rtnetlink, replaceBpfFilter({ ...place, name: "other", programFd: program.fd }));
      await assert.rejects(tunnel.attach(nodeOf(3)), {
        message: `Cannot attach tunnel to link ${node.ifIndex}: filter 1 of priority 80 is "other", not ours`,
      });
      const filters = await inside(host(3), "tc", "filter", "show", "dev", "eth0", "egress");
      assert.match(filters, /handle 0x1 other /);
    });
  });

  it("refuses prefixes of IPv6, and is of no use once closed", async () => {
    await withTunnel(1, async (tunnel) => {
      assert.throws(
        () => {
          tunnel.setBlock(parseCidr("fd00::/64"), nodeOf(2));
        },
        { name: "RangeError", message: 'Cannot tunnel "fd00::/64": it is no IPv4 prefix' },
      );
      tunnel[Symbol.dispose]();
      await assert.rejects(tunnel.attach(nodeOf(1)), /it is closed/);
      assert.throws(() => tunnel.blocks(), /it is closed/);
    });
  });

  it("is removed but for its place, and what is another's", async () => {
    await using node = await openNode(1);
    const filter = "protocol ip prio 5 u32 match ip dst 192.0.2.1 classid 1:1".split(" ");
    await inside(host(1), "tc", "filter", "add", "dev", "eth0", "egress", ...filter);
    await removeIpipTunnel(node);
    const filters = await inside(host(1), "tc", "filter", "show", "dev", "eth0", "egress");
    assert.match(filters, /u32/);
    assert.doesNotMatch(filters, /margay/);
    await removeIpipTunnel(node);
    assert.match(await inside(host(1), "tc", "qdisc", "show", "dev", "eth0"), /clsact/);
    using tunnel = await openIpipTunnel(node);
    assert.deepEqual([tunnel.blocks().size, tunnel.nodes().size], [0, 0]);
  });
});
