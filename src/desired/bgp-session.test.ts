// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BGPPeerSpec, bgpPeerSchema } from "../model/bgp-peer.ts";
import { API_VERSION } from "../model/metadata.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseIp } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { bgpIssues } from "./bgp-issues.ts";
import { wantedSessions } from "./bgp-session.ts";
import { wantedBird } from "./bird.ts";
import { DEFAULT_SETTINGS, type NodeFacts, type Settings } from "./facts.ts";

const CLUSTER_ID = parseIpv4("244.0.0.1");

function node(number: number, more: Partial<NodeFacts> = {}): NodeFacts {
  return {
    address: parseIpv4(`192.168.0.${number}`),
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "bird",
    ...more,
  };
}

function peer(spec: object): BGPPeerSpec {
  return bgpPeerSchema.parse({ apiVersion: API_VERSION, kind: "BGPPeer", metadata: { name: "x" }, spec })
    .spec;
}

interface Cluster {
  readonly self?: string;
  readonly nodes?: Readonly<Record<string, NodeFacts>>;
  readonly peers: Readonly<Record<string, object>>;
  readonly settings?: Partial<Settings>;
}

const THREE = { host1: node(101), host2: node(102), host3: node(103) };

function contextOf({ self = "host1", nodes = THREE, peers, settings = {} }: Cluster) {
  return {
    self,
    settings: { ...DEFAULT_SETTINGS, ...settings },
    nodes: new Map(Object.entries(nodes)),
    bgpPeers: new Map(Object.entries(peers).map(([name, spec]) => [name, peer(spec)])),
    bgpFilters: new Map(),
    pools: new Map(),
    originated: [],
    ipipEnd: undefined,
  };
}

/** Whom a node speaks with on account of BGPPeers, and how; nothing where it is as usual. */
function sessionsOf(cluster: Cluster): readonly string[] {
  return wantedSessions(contextOf(cluster)).map((session) =>
    [
      session.address,
      ...(session.node === undefined ? [] : [session.node]),
      `AS ${session.asNumber}`,
      ...(session.isPassive ? ["passive"] : []),
      ...(session.isDirect ? ["direct"] : []),
      ...(session.clusterId === undefined ? [] : [`client of ${session.clusterId}`]),
    ].join(" "),
  );
}

function meshOf(cluster: Cluster): readonly string[] {
  return (wantedBird(contextOf(cluster))?.peers ?? []).map(({ name, address }) => `${name} ${address}`);
}

describe("a BGPPeer with an address", () => {
  const tor = { peerIP: "192.168.0.1", asNumber: 64999 };

  it("is for every node, one node, or those that it selects", () => {
    const nodes = { ...THREE, host2: node(102, { labels: { rack: "a" } }) };
    const asked = (spec: object): readonly string[] =>
      Object.keys(nodes).filter(
        (self) => sessionsOf({ self, nodes, peers: { tor: { ...tor, ...spec } } }).length > 0,
      );
    assert.deepEqual(asked({}), ["host1", "host2", "host3"]);
    assert.deepEqual(asked({ node: "host3" }), ["host3"]);
    assert.deepEqual(asked({ nodeSelector: "rack == 'a'" }), ["host2"]);
    assert.deepEqual(asked({ nodeSelector: "rack == 'b'" }), []);
  });

  it("is a neighbour where it is on the node's network, unless it is behind a gateway", () => {
    assert.deepEqual(sessionsOf({ peers: { tor } }), ["192.168.0.1 AS 64999 direct"]);
    const gateway = { ...tor, reachableBy: "192.168.0.254" };
    assert.deepEqual(sessionsOf({ peers: { gateway } }), ["192.168.0.1 AS 64999"]);
    const far = { peerIP: "203.0.113.1:1790", asNumber: 64999 };
    assert.deepEqual(sessionsOf({ peers: { far } }), ["203.0.113.1 AS 64999"]);
    assert.equal(wantedSessions(contextOf({ peers: { far } }))[0]?.port, 1790);
  });

  it("may be a node, which then is not one of the mesh as well", () => {
    const peers = { it: { peerIP: "192.168.0.102", asNumber: 64512 } };
    assert.deepEqual(sessionsOf({ peers }), ["192.168.0.102 host2 AS 64512 direct"]);
    assert.deepEqual(meshOf({ peers }), ["host3 192.168.0.103"]);
    assert.deepEqual(sessionsOf({ self: "host2", peers }), [], "it does not speak with itself");
  });

  it("is one session, by whichever of two resources comes first", () => {
    assert.deepEqual(sessionsOf({ peers: { b: tor, a: { ...tor, asNumber: 65000 } } }), [
      "192.168.0.1 AS 65000 direct",
    ]);
  });

  it("of IPv6 needs a node with an IPv6 address", () => {
    const peers = { tor6: { peerIP: "fd00::1", asNumber: 64999 } };
    assert.deepEqual(sessionsOf({ peers }), []);
    assert.match(
      bgpIssues(contextOf({ peers })).join(),
      /BGPPeer "tor6" \(fd00::1\), for this node has no IPv6/,
    );
    const ipv6 = { address: parseIp("fd00::101"), subnet: parseCidr("fd00::/64") };
    assert.deepEqual(sessionsOf({ nodes: { host1: node(101, { ipv6 }) }, peers }), [
      "fd00::1 AS 64999 direct",
    ]);
  });
});

describe("route reflectors", () => {
  const reflector = { labels: { role: "reflector" }, routeReflectorClusterId: CLUSTER_ID };
  const nodes = { host1: node(101), host2: node(102), rr1: node(201, reflector), rr2: node(202, reflector) };
  const peers = { reflectors: { nodeSelector: "all()", peerSelector: "role == 'reflector'" } };

  it("are spoken with by every node, and have them as clients", () => {
    assert.deepEqual(sessionsOf({ self: "host1", nodes, peers }), [
      "192.168.0.201 rr1 AS 64512 passive",
      "192.168.0.202 rr2 AS 64512 passive",
    ]);
    assert.deepEqual(sessionsOf({ self: "rr1", nodes, peers }), [
      "192.168.0.101 host1 AS 64512 client of 244.0.0.1",
      "192.168.0.102 host2 AS 64512 client of 244.0.0.1",
      "192.168.0.202 rr2 AS 64512 passive",
    ]);
  });

  it("have no part in the mesh, which goes on among the others", () => {
    assert.deepEqual(meshOf({ self: "host1", nodes, peers: {} }), ["host2 192.168.0.102"]);
    assert.deepEqual(meshOf({ self: "rr1", nodes, peers: {} }), []);
    assert.deepEqual(meshOf({ self: "host1", nodes, peers, settings: { nodeMesh: false } }), []);
  });

  it("answer of themselves, unless a person wants to say so", () => {
    const some = { nodeSelector: "!has(role)", peerSelector: "role == 'reflector'" };
    assert.equal(sessionsOf({ self: "rr1", nodes, peers: { some } }).length, 2);
    assert.equal(
      sessionsOf({ self: "rr1", nodes, peers: { some: { ...some, reversePeering: "Manual" } } }).length,
      0,
    );
  });

  it("of another autonomous system are no reflectors for it", () => {
    const other = { ...nodes, host2: node(102, { asNumber: 65002 }) };
    const outside = { peerIP: "192.168.0.1", asNumber: 64512, localASNumber: 65001 };
    assert.deepEqual(sessionsOf({ self: "rr1", nodes, peers: { outside } }), ["192.168.0.1 AS 64512 direct"]);
    const [, second] = sessionsOf({ self: "rr1", nodes: other, peers });
    assert.equal(second, "192.168.0.102 host2 AS 65002");
  });
});

describe("what is amiss with BGP", () => {
  it("is a filter that is not there, and a community without a value, which is left out", () => {
    const cluster = {
      peers: { tor: { peerIP: "192.168.0.1", asNumber: 64999, filters: ["absent"] } },
      settings: {
        prefixAdvertisements: [{ cidr: parseCidr("10.1.0.0/16"), communities: ["64512:1", "nobody"] }],
      },
    };
    assert.deepEqual(bgpIssues(contextOf(cluster)), [
      'bgp: BGPPeer "tor" names BGPFilter "absent", which is not there',
      'bgp: BGPConfiguration "default" announces with community "nobody", which has no value',
    ]);
    const [advertisement] = wantedBird(contextOf(cluster))?.prefixAdvertisements ?? [];
    assert.deepEqual(advertisement?.communities, ["64512:1"]);
  });

  it("is a peer that nobody speaks with, since routes come from the datastore", () => {
    const peers = { tor: { peerIP: "192.168.0.1", asNumber: 64999 } };
    assert.deepEqual(bgpIssues(contextOf({ peers, settings: { routeSource: "datastore" } })), [
      'bgp: nobody speaks with BGPPeer "tor", for routes come from the datastore',
    ]);
  });
});
