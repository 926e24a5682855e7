// SPDX-License-Identifier: Apache-2.0
// The reconcilers on a real kernel, each test in a network namespace of its own.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_SETTINGS, type Fact } from "../../src/desired/facts.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { type IfName, parseIfName } from "../../src/net/if-name.ts";
import { parseIp } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { parseMac } from "../../src/net/mac.ts";
import { systemClock } from "../../src/system/clock.ts";
import { NODE_END, createNode, eventually } from "./dataplane-node.ts";
import { PATIENCE_MS } from "./patience.ts";

const OTHER_END = parseIfName("cali0123456789b");
const LAN = parseCidr("192.168.0.0/24");
const REMOTE_BLOCK = parseCidr("10.1.2.0/26");
const MAC = parseMac("02:00:00:00:00:01");

const HOST1 = {
  address: parseIpv4("192.168.0.101"),
  subnet: LAN,
  asNumber: undefined,
  routeSource: "datastore",
} as const;
const HOST2 = { ...HOST1, address: parseIpv4("192.168.0.102") } as const;

const NODES: readonly Fact[] = [
  { kind: "node", name: "host1", value: HOST1 },
  { kind: "node", name: "host2", value: HOST2 },
  { kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore" } },
  { kind: "block", cidr: REMOTE_BLOCK, value: { cidr: REMOTE_BLOCK, node: "host2", strays: [] } },
  { kind: "affinity", node: "host2", cidr: REMOTE_BLOCK, value: true },
];

function container(name: string, ifName: IfName, ip: string): Fact {
  return { kind: "endpoint", name, value: { ifName, mac: MAC, ips: [parseIp(ip)] } };
}

describe("the dataplane", () => {
  it("touches nothing before it is started", async () => {
    await using node = await createNode();
    node.ip("route add 10.9.9.0/24 via 192.168.0.77 proto 80");
    const before = node.ip("route");
    node.learn(...NODES, container("a", NODE_END, "10.1.1.2"));
    await systemClock.sleep(50);
    assert.equal(node.ip("route"), before);
  });

  it("tells where the kernel differs from what is wanted, and changes nothing", async () => {
    await using node = await createNode();
    node.ip("route add 10.9.9.0/24 via 192.168.0.77 proto 80");
    node.ip("route add 10.1.2.0/26 via 192.168.0.99 metric 1024 proto 80");
    node.setSysctl("net/ipv4/ip_forward", "0");
    node.learn(...NODES, container("a", NODE_END, "10.1.1.2"), container("b", OTHER_END, "10.1.1.3"));
    const before = node.ip("route");
    const differences = async (): Promise<readonly string[]> => {
      const found = await node.dataplane.differences({ signal: AbortSignal.timeout(PATIENCE_MS) });
      assert.deepEqual(found.unseen, []);
      return found.differences.map(({ kind, key, state }) => `${kind} ${key}: ${state}`);
    };
    const found = await differences();
    for (const wanted of [
      `link ${NODE_END}: wrong`,
      `link ${OTHER_END}: waiting`,
      "sysctl net/ipv4/ip_forward: wrong",
      `sysctl net/ipv4/conf/${OTHER_END}/proxy_arp: waiting`,
      `neighbour 10.1.1.2 dev ${NODE_END}: missing`,
      "route 10.1.1.2/32 metric 0: missing",
      "route 10.1.1.3/32 metric 0: waiting",
      "route 10.1.2.0/26 metric 1024: wrong",
      "route 10.9.9.0/24 metric 0: foreign",
    ])
      assert.ok(found.includes(wanted), `${wanted} is not among:\n${found.join("\n")}`);
    assert.equal(node.ip("route"), before);
    assert.equal(node.sysctl("net/ipv4/ip_forward"), "0");
    await node.addNodeEnd(OTHER_END);
    await node.dataplane.start();
    await node.settled();
    assert.deepEqual(await differences(), []);
  });

  it("programs a container's node end: MAC, sysctls, neighbour and route", async () => {
    await using node = await createNode();
    node.learn(...NODES, container("a", NODE_END, "10.1.1.2"));
    await node.dataplane.start();
    await node.dataplane.programmed(NODE_END, { signal: AbortSignal.timeout(PATIENCE_MS) });
    // Other nodes' blocks are not waited for there.
    await node.settled();
    assert.match(node.ip(`link show ${NODE_END}`), /ee:ee:ee:ee:ee:ee/);
    assert.match(node.ip(`neigh show dev ${NODE_END}`), /10\.1\.1\.2 lladdr 02:00:00:00:00:01 PERMANENT/);
    assert.match(node.ip("route"), /10\.1\.1\.2 dev cali0123456789a proto 80 scope link/);
    assert.match(node.ip("route"), /10\.1\.2\.0\/26 via 192\.168\.0\.102 dev eth0 proto 80 metric 1024/);
    assert.equal(node.sysctl("net/ipv4/ip_forward"), "1");
    assert.equal(node.sysctl(`net/ipv4/conf/${NODE_END}/proxy_arp`), "1");
    assert.equal(node.sysctl(`net/ipv4/conf/${NODE_END}/rp_filter`), "1");
    assert.deepEqual(node.dataplane.status().faults, []);
  });

  it("programs a node end that appears after its endpoint", async () => {
    await using node = await createNode();
    node.learn(...NODES, container("b", OTHER_END, "10.1.1.3"));
    await node.dataplane.start();
    assert.deepEqual(node.dataplane.pendingOn(OTHER_END).length > 0, true);
    await node.addNodeEnd(OTHER_END);
    await node.dataplane.programmed(OTHER_END, { signal: AbortSignal.timeout(PATIENCE_MS) });
    assert.match(node.ip("route"), /10\.1\.1\.3 dev cali0123456789b/);
  });

  it("repairs what others change, as they change it", async () => {
    await using node = await createNode();
    node.learn(...NODES, container("a", NODE_END, "10.1.1.2"));
    await node.dataplane.start();
    await node.settled();
    const whole = node.ip("route");
    for (const damage of [
      "route del 10.1.1.2",
      "route del 10.1.2.0/26",
      "route replace 10.1.2.0/26 via 192.168.0.99 metric 1024 proto 80",
      `route add 10.77.0.0/24 dev ${NODE_END}`,
      "route add 10.78.0.0/24 via 192.168.0.9 proto 80",
      `link set ${NODE_END} down`,
    ]) {
      node.ip(damage);
      await eventually(() => node.ip("route") === whole, `the routes after "${damage}"`);
    }
    const neighbours = node.ip(`neigh show dev ${NODE_END}`);
    node.ip(`neigh del 10.1.1.2 dev ${NODE_END}`);
    await eventually(() => node.ip(`neigh show dev ${NODE_END}`) === neighbours, "the neighbour entry");
    node.ip(`link set ${NODE_END} address 02:00:00:00:00:99`);
    await eventually(() => node.ip(`link show ${NODE_END}`).includes("ee:ee:ee:ee:ee:ee"), "the MAC address");
  });

  it("leaves what is not its own, and removes what was its own", async () => {
    await using node = await createNode();
    node.ip("route add 10.5.0.0/24 via 192.168.0.77");
    node.ip("route add 10.6.0.0/24 via 192.168.0.77 proto bird metric 32");
    node.ip("route add 10.7.0.0/24 via 192.168.0.77 proto 80");
    node.ip("neigh add 192.168.0.77 lladdr 02:00:00:00:00:77 dev eth0");
    node.ip("link add vethother type veth peer name calipeer");
    node.learn(...NODES);
    await node.dataplane.start();
    await node.settled();
    const routes = node.ip("route");
    assert.match(routes, /10\.5\.0\.0\/24/);
    assert.match(routes, /10\.6\.0\.0\/24/);
    assert.doesNotMatch(routes, /10\.7\.0\.0\/24/);
    assert.match(node.ip("neigh show dev eth0"), /192\.168\.0\.77/);
    const links = node.ip("link");
    assert.match(links, /vethother/);
    assert.match(links, /calipeer/);
    assert.match(
      node.ip(`link show ${NODE_END}`),
      /state DOWN/,
      "a node end of no container forwards nothing",
    );
  });

  it("never replaces another's route to a container's address, and says so", async () => {
    await using node = await createNode();
    node.ip("route add 10.1.1.2 dev eth0 proto static");
    node.learn(...NODES, container("a", NODE_END, "10.1.1.2"));
    await node.dataplane.start();
    await eventually(() => node.dataplane.status().faults.length > 0, "a fault");
    assert.match(node.ip("route"), /10\.1\.1\.2 dev eth0 proto static/);
    const [fault] = node.dataplane.status().faults;
    assert.equal(fault?.key, "10.1.1.2/32 metric 0");
    assert.match(fault.reason, /exists/i);
    node.ip("route del 10.1.1.2 dev eth0");
    await node.settled();
    assert.match(node.ip("route"), /10\.1\.1\.2 dev cali0123456789a/);
  });

  it("takes note when another's route replaces its own, and gives way to it", async () => {
    await using node = await createNode();
    node.learn(...NODES);
    await node.dataplane.start();
    await node.settled();
    const foreign = "10.1.2.0/26 via 192.168.0.9 dev eth0 proto static metric 1024";
    node.ip(`route replace ${foreign}`);
    await eventually(() => node.dataplane.status().faults.length > 0, "a fault");
    node.learn({
      kind: "node",
      name: "host2",
      value: { ...HOST2, address: parseIpv4("192.168.0.103") },
    });
    await eventually(() => node.dataplane.status().isSettled, "a settled dataplane");
    assert.ok(node.ip("route").includes(foreign));
    node.ip("route del 10.1.2.0/26 metric 1024");
    await node.settled();
    assert.match(node.ip("route"), /10\.1\.2\.0\/26 via 192\.168\.0\.103 dev eth0 proto 80/);
  });

  it("moves an address from one container to another without a moment without a route", async () => {
    await using node = await createNode();
    await node.addNodeEnd(OTHER_END);
    node.learn(...NODES, container("a", NODE_END, "10.1.1.2"), container("b", OTHER_END, "10.1.1.3"));
    await node.dataplane.start();
    await node.settled();
    node.learn({ kind: "endpoint", name: "a", value: undefined }, container("b", OTHER_END, "10.1.1.2"));
    await node.settled();
    assert.match(node.ip("route"), /10\.1\.1\.2 dev cali0123456789b/);
    assert.doesNotMatch(node.ip("route"), /10\.1\.1\.3/);
  });

  it("keeps its route until BIRD has brought one, when BIRD takes over", async () => {
    await using node = await createNode();
    node.learn(...NODES);
    await node.dataplane.start();
    await node.settled();
    const host2: Fact = { kind: "node", name: "host2", value: { ...HOST2, routeSource: "bird" } };
    node.learn(host2, { kind: "settings", value: DEFAULT_SETTINGS });
    await node.settled();
    assert.match(node.ip("route show proto 80"), /10\.1\.2\.0\/26/);
    node.ip("route add 10.1.2.0/26 via 192.168.0.102 proto bird metric 32");
    await eventually(() => !node.ip("route show proto 80").includes("10.1.2.0/26"), "our route going");
    node.learn({ kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore" } });
    await node.settled();
    assert.match(node.ip("route show proto 80"), /10\.1\.2\.0\/26/);
  });
});
