// SPDX-License-Identifier: Apache-2.0
// The node's side of a container with addresses of both families, on a real kernel.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DEFAULT_SETTINGS, type Fact } from "../../src/desired/facts.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIp } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { parseMac } from "../../src/net/mac.ts";
import { NODE_END, type Node, createNode, eventually } from "./dataplane-node.ts";
import { PATIENCE_MS } from "./patience.ts";

const REMOTE_BLOCK = parseCidr("fd10::40/122");
const OWN_BLOCK = parseCidr("fd10::/122");
const IP = "fd10::2";
const GATEWAY = "fe80::ecee:eeff:feee:eeee";

function nodeFact(name: string, ordinal: number): Fact {
  const value = {
    address: parseIpv4(`192.168.0.${ordinal}`),
    subnet: parseCidr("192.168.0.0/24"),
    ipv6: { address: parseIp(`fd00:1::${ordinal}`), subnet: parseCidr("fd00:1::/64") },
    asNumber: undefined,
    routeSource: "datastore",
  } as const;
  return { kind: "node", name, value };
}

const POOL: Fact = {
  kind: "pool",
  name: "six",
  value: { cidr: parseCidr("fd10::/64"), encapsulation: { kind: "none" }, disableBgpExport: false },
};
const FACTS: readonly Fact[] = [
  nodeFact("host1", 101),
  nodeFact("host2", 102),
  { kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore" } },
  POOL,
  { kind: "block", cidr: REMOTE_BLOCK, value: { cidr: REMOTE_BLOCK, node: "host2", strays: [] } },
  { kind: "affinity", node: "host2", cidr: REMOTE_BLOCK, value: true },
  { kind: "block", cidr: OWN_BLOCK, value: { cidr: OWN_BLOCK, node: "host1", strays: [] } },
  { kind: "affinity", node: "host1", cidr: OWN_BLOCK, value: true },
];
const CONTAINER: Fact = {
  kind: "endpoint",
  name: "a",
  value: {
    ifName: NODE_END,
    mac: parseMac("02:00:00:00:00:01"),
    ips: [parseIp("10.1.1.2"), parseIp(IP)],
  },
};

async function createNodeWithIpv6(): Promise<Node> {
  const node = await createNode();
  node.ip("addr add fd00:1::101/64 dev eth0 nodad");
  return node;
}

/** Starts the node with the container, and waits until all is as it should be. */
async function start(node: Node): Promise<void> {
  node.learn(...FACTS, CONTAINER);
  await node.dataplane.start();
  await node.dataplane.programmed(NODE_END, { signal: AbortSignal.timeout(PATIENCE_MS) });
  await node.settled();
}

const routes = (node: Node): string => node.ip("-6 route show proto 80").replaceAll(/ +/g, " ");
const gateway = (node: Node): string => node.ip(`-6 addr show dev ${NODE_END} scope link`);

interface Listed {
  readonly dst: string;
  readonly metric: number;
  readonly protocol: string;
  readonly gateway?: string;
}

/** What ip(8) says of the main table, but for link-local prefixes: `<destination> <metric> <origin> <gateway>`. */
function listed(node: Node): string {
  const origins: Readonly<Record<string, string>> = { "80": "agent", kernel: "kernel" };
  return (JSON.parse(node.ip("-j -d -6 route show table main")) as readonly Listed[])
    .filter(({ dst }) => !dst.startsWith("fe80::"))
    .map(({ dst, metric, protocol, gateway: by }) => {
      const cidr = dst === "default" ? "::/0" : dst.includes("/") ? dst : `${dst}/128`;
      return [cidr, metric, origins[protocol] ?? "other", by ?? ""].join(" ");
    })
    .sort()
    .join("\n");
}

/** The same as those are told who look on. */
function told(node: Node): string {
  return node.dataplane
    .routes()
    .filter(({ dst }) => dst.includes(":"))
    .map(({ dst, metric, origin, gateway: by }) => [dst, metric, origin, by ?? ""].join(" "))
    .sort()
    .join("\n");
}

describe("the dataplane of a container with IPv6", () => {
  it("programs its node end: the gateway's address, sysctls, neighbour and routes", async () => {
    await using node = await createNodeWithIpv6();
    await start(node);
    assert.match(gateway(node), new RegExp(`inet6 ${GATEWAY}/64 scope link`));
    await eventually(() => !gateway(node).includes("tentative"), "an address that counts");
    assert.match(node.ip(`-6 neigh show dev ${NODE_END}`), /fd10::2 lladdr 02:00:00:00:00:01 PERMANENT/);
    assert.match(routes(node), new RegExp(`fd10::2 dev ${NODE_END} metric 1 `));
    assert.match(routes(node), /fd10::40\/122 via fd00:1::102 dev eth0 metric 1024 /);
    assert.match(routes(node), /blackhole fd10::\/122 dev lo metric 1024 /);
    assert.match(node.ip("route"), /10\.1\.1\.2 dev cali0123456789a proto 80 scope link/);
    const end = `net/ipv6/conf/${NODE_END}`;
    const values = ["disable_ipv6", "accept_dad", "accept_ra", "forwarding", "proxy_ndp"];
    assert.deepEqual(
      values.map((name) => node.sysctl(`${end}/${name}`)),
      ["0", "0", "0", "1", "1"],
    );
    assert.equal(node.sysctl("net/ipv6/conf/all/forwarding"), "1");
  });

  it("repairs what others change, as they change it", async () => {
    await using node = await createNodeWithIpv6();
    await start(node);
    const whole = routes(node);
    for (const damage of [
      "-6 route del fd10::2",
      "-6 route del fd10::40/122",
      "-6 route replace fd10::40/122 via fd00:1::99 metric 1024 proto 80",
      `-6 route add fd77::/64 dev ${NODE_END}`,
      "-6 route del blackhole fd10::/122",
      `link set ${NODE_END} down`,
    ]) {
      node.ip(damage);
      await eventually(() => routes(node) === whole, `the routes after "${damage}"`);
      await node.settled();
    }
    node.ip(`-6 neigh del fd10::2 dev ${NODE_END}`);
    await eventually(
      () => node.ip(`-6 neigh show dev ${NODE_END}`).includes("fd10::2 lladdr 02:00:00:00:00:01 PERMANENT"),
      "the neighbour entry",
    );
    node.ip(`-6 addr flush dev ${NODE_END}`);
    await eventually(() => gateway(node).includes(GATEWAY), "the gateway's address");
    await node.settled();
    assert.equal(routes(node), whole);
  });

  it("tells others' routes as they come and go", async () => {
    await using node = await createNodeWithIpv6();
    node.ip("-6 route add fd70::/64 via fd00:1::1");
    await start(node);
    assert.equal(told(node), listed(node));
    assert.match(told(node), /^fd70::\/64 1024 other fd00:1::1$/m);
    assert.match(told(node), /^fd00:1::\/64 256 kernel $/m);
    for (const [command, seen] of [
      ["-6 route add default via fd00:1::1 metric 7", /^::\/0 7 other fd00:1::1$/m],
      ["-6 route replace default via fd00:1::2 metric 7", /^::\/0 7 other fd00:1::2$/m],
      ["-6 route append default via fd00:1::3 metric 7", /^::\/0 7 other $/m],
      ["-6 route del default via fd00:1::2 metric 7", /^::\/0 7 other fd00:1::3$/m],
      ["-6 route add blackhole fd71::/64", /^fd71::\/64 1024 other $/m],
      ["-6 route del fd70::/64", /^(?!.*fd70)/s],
      ["link add other type veth peer name far", undefined],
      ["link set far up", undefined],
      ["link set other up", undefined],
      ["-6 addr add fd72::1/64 dev other nodad", /^fd72::\/64 256 kernel $/m],
      ["-6 route add fd73::/64 via fd72::2", /^fd73::\/64 1024 other fd72::2$/m],
      ["link set other down", /^(?!.*fd7[23])/s],
    ] as const) {
      node.ip(command);
      await eventually(() => told(node) === listed(node), `what "${command}" has changed`);
      if (seen !== undefined) assert.match(told(node), seen);
    }
  });

  it("takes an interface on which IPv6 is off", async () => {
    await using node = await createNodeWithIpv6();
    node.setSysctl(`net/ipv6/conf/${NODE_END}/disable_ipv6`, "1");
    await start(node);
    assert.match(gateway(node), new RegExp(GATEWAY));
    assert.match(routes(node), /fd10::2 dev/);
  });

  it("is silent in IPv6 once the container has no such address, and its routes are gone", async () => {
    await using node = await createNodeWithIpv6();
    await start(node);
    node.learn({
      kind: "endpoint",
      name: "a",
      value: { ifName: NODE_END, mac: parseMac("02:00:00:00:00:01"), ips: [parseIp("10.1.1.2")] },
    });
    await eventually(() => gateway(node) === "", "no address");
    await node.settled();
    assert.doesNotMatch(routes(node), /fd10::2 dev/);
    assert.match(node.ip("route"), /10\.1\.1\.2 dev/);
  });

  it("keeps the container's route beside another node's route to the same address", async () => {
    await using node = await createNodeWithIpv6();
    await start(node);
    const stray = { ip: parseIp(IP), node: "host2" };
    node.learn({
      kind: "block",
      cidr: OWN_BLOCK,
      value: { cidr: OWN_BLOCK, node: "host1", strays: [stray] },
    });
    await node.settled();
    assert.match(routes(node), /fd10::2 via fd00:1::102 dev eth0 metric 1024 /);
    assert.match(node.ip(`-6 route get ${IP}`), new RegExp(`dev ${NODE_END}`));
  });
});

describe("a node that begins to forward IPv6", () => {
  it("goes on to heed routers' advertisements, and touches no other setting of interfaces", async () => {
    await using node = await createNodeWithIpv6();
    node.ip("link add other type veth peer name far");
    node.setSysctl("net/ipv6/conf/other/accept_ra", "0");
    await start(node);
    assert.equal(node.sysctl("net/ipv6/conf/eth0/accept_ra"), "2");
    assert.equal(node.sysctl("net/ipv6/conf/other/accept_ra"), "0");
  });

  it("does so only once there is a pool that needs it", async () => {
    await using node = await createNodeWithIpv6();
    const before = node.sysctl("net/ipv6/conf/all/forwarding");
    node.learn(...FACTS.filter((fact) => fact !== POOL));
    await node.dataplane.start();
    await node.settled();
    assert.equal(node.sysctl("net/ipv6/conf/all/forwarding"), before);
    node.learn(POOL);
    await node.settled();
    assert.equal(node.sysctl("net/ipv6/conf/all/forwarding"), "1");
  });
});
