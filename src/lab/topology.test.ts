// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatIssues } from "../model/resource.ts";
import { LabError } from "./error.ts";
import type { Encapsulation } from "./topology-schema.ts";
import { REFERENCE_TOPOLOGY, parseTopology, readTopology, setEncapsulation } from "./topology.ts";

const HOST1 = { name: "host1", address: "192.168.0.101" };
const SEGMENT = { name: "net0", cidr: "192.168.0.0/24" };
const POOL = { name: "pool", cidr: "10.1.0.0/16" };
const BASE = { underlay: { segments: [SEGMENT] }, hosts: [HOST1], pools: [POOL] };
const TWO_SEGMENTS = [SEGMENT, { name: "net1", cidr: "192.168.1.0/24" }];
const FAR_HOST = { name: "host2", address: "192.168.1.101" };

function issuesOf(document: unknown): string {
  const parsed = parseTopology(document);
  return parsed.kind === "ok" ? "ok" : formatIssues(parsed.issues);
}

describe("parseTopology", () => {
  it("reads the reference topology, whose containers live on two hosts", async () => {
    const { topology } = await readTopology(REFERENCE_TOPOLOGY);
    assert.deepEqual(
      topology.hosts.map(({ name, address }) => `${name} ${address}`),
      ["host1 192.168.0.101", "host2 192.168.0.102"],
    );
    assert.deepEqual(
      topology.containers.map(({ name, host }) => `${name} ${host}`),
      ["a host1", "b host1", "c host2", "d host2"],
    );
    assert.equal(topology.pools[0]?.spec.blockSize, 26);
  });

  it("reads every topology that ships", async () => {
    for (const name of ["reference", "dual-stack", "two-subnets", "twenty-hosts", "beyond"])
      await readTopology(new URL(`topologies/${name}.yaml`, import.meta.url));
  });

  it("gives every pool the encapsulation that is asked for, one of two modes at most", async () => {
    const { topology } = await readTopology(new URL("topologies/two-subnets.yaml", import.meta.url));
    const modesWith = (encapsulation: Encapsulation): unknown =>
      setEncapsulation(topology, encapsulation).pools.map(({ spec }) => [spec.ipipMode, spec.vxlanMode]);
    assert.deepEqual(modesWith("none"), [["Never", "Never"]]);
    assert.deepEqual(modesWith("ipip"), [["Always", "Never"]]);
    assert.deepEqual(modesWith("ipip-cross-subnet"), [["CrossSubnet", "Never"]]);
    assert.deepEqual(modesWith("vxlan"), [["Never", "Always"]]);
    assert.deepEqual(modesWith("vxlan-cross-subnet"), [["Never", "CrossSubnet"]]);
  });

  it("leaves pools of IPv6 theirs where that is IPIP, which carries IPv4 alone", async () => {
    const { topology } = await readTopology(new URL("topologies/dual-stack.yaml", import.meta.url));
    const modesWith = (encapsulation: Encapsulation): unknown =>
      setEncapsulation(topology, encapsulation).pools.map(({ spec }) => [spec.ipipMode, spec.vxlanMode]);
    assert.deepEqual(modesWith("vxlan"), [
      ["Never", "Always"],
      ["Never", "Always"],
    ]);
    assert.deepEqual(modesWith("ipip"), [
      ["Always", "Never"],
      ["Never", "Never"],
    ]);
  });

  it("says the same of a document that was written as JSON and read again", async () => {
    const { document, topology } = await readTopology(REFERENCE_TOPOLOGY);
    const again = parseTopology(JSON.parse(JSON.stringify(document)));
    assert.deepEqual(again, { kind: "ok", value: topology });
  });

  it("takes hosts of different segments where a router joins them", () => {
    const routers = [{ name: "r1", addresses: ["192.168.0.1", "192.168.1.1"] }];
    const underlay = { segments: TWO_SEGMENTS, routers };
    assert.equal(issuesOf({ ...BASE, underlay, hosts: [HOST1, FAR_HOST] }), "ok");
  });

  const faults: readonly (readonly [string, unknown, string])[] = [
    ["no object", "text", "expected object"],
    ["an unknown field", { ...BASE, host: [] }, 'host: there is no field "host"'],
    [
      "an unknown field of a host",
      { ...BASE, hosts: [{ ...HOST1, adress: "1.2.3.4" }] },
      'hosts[0].adress: there is no field "adress"',
    ],
    [
      "an unknown field of a pool",
      { ...BASE, pools: [{ ...POOL, blocksize: 26 }] },
      'pools[0].blocksize: there is no field "blocksize"',
    ],
    ["a pool without a name", { ...BASE, pools: [{ cidr: POOL.cidr }] }, "pools[0].name: it is required"],
    ["no pool", { ...BASE, pools: [] }, "pools: "],
    ["no host", { ...BASE, hosts: [] }, "hosts: "],
    [
      "a block size out of range",
      { ...BASE, pools: [{ ...POOL, blockSize: 33 }] },
      "pools[0].blockSize: want 20 to 32",
    ],
    [
      "a block larger than its pool",
      { ...BASE, pools: [{ ...POOL, cidr: "10.1.0.0/28" }] },
      "pools[0].blockSize: a block of /26 is larger",
    ],
    [
      "pools that overlap",
      { ...BASE, pools: [POOL, { name: "other", cidr: "10.1.128.0/17" }] },
      'pool "pool" ("10.1.0.0/16") overlaps pool "other"',
    ],
    [
      "a pool that overlaps the underlay",
      { ...BASE, pools: [{ ...POOL, cidr: "192.168.0.0/16" }] },
      'overlaps segment "net0" ("192.168.0.0/24")',
    ],
    [
      "a prefix with host bits",
      { ...BASE, pools: [{ ...POOL, cidr: "10.1.0.1/16" }] },
      'pools[0].cidr: Cannot parse prefix "10.1.0.1/16": host bits are set',
    ],
    [
      "a host outside every segment",
      { ...BASE, hosts: [{ ...HOST1, address: "192.168.9.1" }] },
      'hosts[0].address: "192.168.9.1" is in no segment',
    ],
    [
      "a host with the broadcast address",
      { ...BASE, hosts: [{ ...HOST1, address: "192.168.0.255" }] },
      "network or broadcast address",
    ],
    [
      "an address used twice",
      { ...BASE, hosts: [HOST1, { ...HOST1, name: "host2" }] },
      'hosts[1].address: "192.168.0.101" is taken by hosts[0].address',
    ],
    [
      "a name used twice",
      { ...BASE, containers: [{ name: "host1", host: "host1" }] },
      'containers[0].name: "host1" is taken by hosts[0].name',
    ],
    [
      "a reserved name",
      { ...BASE, hosts: [{ ...HOST1, name: "underlay" }] },
      'hosts[0].name: "underlay" is reserved',
    ],
    [
      "a name in capitals",
      { ...BASE, hosts: [{ ...HOST1, name: "Host1" }] },
      "hosts[0].name: want a lower-case",
    ],
    [
      "a name that is a path",
      { ...BASE, containers: [{ name: "../x", host: "host1" }] },
      "containers[0].name: want a lower-case",
    ],
    [
      "a container on an unknown host",
      { ...BASE, containers: [{ name: "a", host: "host9" }] },
      'containers[0].host: there is no host "host9"',
    ],
    [
      "a host in another segment than its address",
      { ...BASE, underlay: { segments: TWO_SEGMENTS }, hosts: [{ ...HOST1, segment: "net1" }] },
      'hosts[0].segment: address "192.168.0.101" is not in segment "net1"',
    ],
    [
      "a host in an unknown segment",
      { ...BASE, hosts: [{ ...HOST1, segment: "net9" }] },
      'hosts[0].segment: there is no segment "net9"',
    ],
    [
      "segments without a router between their hosts",
      { ...BASE, underlay: { segments: TWO_SEGMENTS }, hosts: [HOST1, FAR_HOST] },
      'no router leads from host "host1" to segment "net1"',
    ],
    [
      "segments that overlap",
      { ...BASE, underlay: { segments: [SEGMENT, { name: "net1", cidr: "192.168.0.128/25" }] } },
      'underlay.segments[1].cidr: "192.168.0.128/25" overlaps segment "net0"',
    ],
    [
      "a router twice in one segment",
      {
        ...BASE,
        underlay: {
          segments: [SEGMENT],
          routers: [{ name: "r1", addresses: ["192.168.0.1", "192.168.0.2"] }],
        },
      },
      'underlay.routers[0].addresses[1]: the router is in segment "net0" already',
    ],
    [
      "an unknown setting",
      { ...BASE, settings: { FelixConfiguration: { frob: 1 } } },
      'settings.FelixConfiguration.frob: there is no field "frob"',
    ],
    [
      "settings of another kind",
      { ...BASE, settings: { Tier: {} } },
      'settings.Tier: there is no field "Tier"',
    ],
    [
      "the source of routes said twice",
      { ...BASE, settings: { FelixConfiguration: { programClusterRoutes: "Enabled" } } },
      "settings.FelixConfiguration.programClusterRoutes: say it by routeSource",
    ],
    ["an unknown route source", { ...BASE, routeSource: "ospf" }, "routeSource: "],
  ];
  for (const [title, document, expected] of faults) {
    it(`refuses ${title}`, () => {
      const issues = issuesOf(document);
      assert.ok(issues.includes(expected), `${issues} does not say: ${expected}`);
    });
  }
});

describe("readTopology", () => {
  it("names the file that is not there", async () => {
    await assert.rejects(readTopology("/nonexistent.yaml"), (error: unknown) => {
      assert.ok(error instanceof LabError);
      assert.equal(error.code, "invalid");
      assert.match(error.message, /^Cannot read topology "\/nonexistent\.yaml": ENOENT/);
      return true;
    });
  });
});
