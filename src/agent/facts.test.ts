// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IpamBlock } from "../model/ipam-block.ts";
import type { Kind, Resources } from "../model/resource.ts";
import { API_VERSION, parseResource, unwrap } from "../model/resource.ts";
import { parseCidr } from "../net/cidr.ts";
import { parseWireguardPublicKey } from "../net/wireguard-key.ts";
import { blockFacts, endpointFacts, nodeFacts, poolFacts, settingsOf } from "./facts.ts";

function resource<K extends Kind>(kind: K, spec: object, metadata: object = {}): Resources[K] {
  const value = { apiVersion: API_VERSION, kind, metadata: { name: "default", ...metadata }, spec };
  return unwrap(parseResource(kind, value), kind);
}

describe("the facts of a node", () => {
  const bgp = { ipv4Address: "192.168.0.101/24" };

  it("are its address and the network that is on", () => {
    assert.deepEqual(nodeFacts(resource("Node", { bgp: { ...bgp, asNumber: 64513 } })), {
      address: "192.168.0.101",
      subnet: "192.168.0.0/24",
      asNumber: 64513,
      routeSource: "datastore",
      vxlan: undefined,
      vxlan6: undefined,
      ipip: undefined,
      wireguard: undefined,
      labels: undefined,
      routeReflectorClusterId: undefined,
      ipv6: undefined,
    });
  });

  it("have an end of VXLAN tunnels where both its addresses are recorded", () => {
    const both = { bgp, ipv4VXLANTunnelAddr: "10.1.0.1", vxlanTunnelMACAddr: "66:00:00:00:00:01" };
    assert.deepEqual(nodeFacts(resource("Node", both))?.vxlan, { ip: "10.1.0.1", mac: "66:00:00:00:00:01" });
    assert.equal(nodeFacts(resource("Node", { bgp, ipv4VXLANTunnelAddr: "10.1.0.1" }))?.vxlan, undefined);
    const six = { bgp, ipv6VXLANTunnelAddr: "fd10::1", vxlanTunnelMACAddrV6: "66:00:00:00:00:02" };
    assert.deepEqual(nodeFacts(resource("Node", six))?.vxlan6, { ip: "fd10::1", mac: "66:00:00:00:00:02" });
    assert.equal(nodeFacts(resource("Node", { bgp, ipv6VXLANTunnelAddr: "fd10::1" }))?.vxlan6, undefined);
  });

  it("have a WireGuard key once it has one", () => {
    const wireguardPublicKey = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const node = {
      ...resource("Node", { bgp }),
      status: { wireguardPublicKey: parseWireguardPublicKey(wireguardPublicKey) },
    };
    assert.deepEqual(nodeFacts(node)?.wireguard, { publicKey: wireguardPublicKey, ip: undefined });
    const wireguard = { interfaceIPv4Address: "10.1.0.3" };
    const whole = { ...node, spec: resource("Node", { bgp, wireguard }).spec };
    assert.equal(nodeFacts(whole)?.wireguard?.ip, "10.1.0.3");
  });

  it("are none where it has no address", () => {
    assert.equal(nodeFacts(resource("Node", {})), undefined);
  });

  for (const [said, routeSource] of [
    ["bird", "bird"],
    ["starting", "starting"],
    ["datastore", "datastore"],
    ["frob", "datastore"],
  ] as const) {
    it(`take a route source "${said}" for ${routeSource}`, () => {
      const node = resource("Node", { bgp }, { annotations: { "margay/route-source": said } });
      assert.equal(nodeFacts(node)?.routeSource, routeSource);
    });
  }
});

describe("the facts of a block", () => {
  const block = (affinity: string | null): IpamBlock => ({
    cidr: parseCidr("10.1.0.4/30"),
    affinity,
    allocations: [0, 1, null, 2],
    unallocated: [2],
    attributes: [
      { handle_id: "net.a", secondary: { node: "host1" } },
      { handle_id: "net.b", secondary: { node: "host2" } },
      { handle_id: "net.c", secondary: {} },
    ],
    sequenceNumber: 1n,
    sequenceNumberForAllocation: {},
    deleted: false,
  });
  const away = { ip: "10.1.0.5", node: "host2" };
  const here = { ip: "10.1.0.4", node: "host1" };

  it("are the node it belongs to, and the addresses in use elsewhere", () => {
    assert.deepEqual(blockFacts(block("host:host1")), { cidr: "10.1.0.4/30", node: "host1", strays: [away] });
  });

  for (const affinity of [null, "virtual:load-balancer"]) {
    it(`have every address in use elsewhere where the affinity is ${affinity}`, () => {
      const { node, strays } = blockFacts(block(affinity));
      assert.deepEqual([node, strays], [undefined, [here, away]]);
    });
  }
});

describe("the facts of an endpoint", () => {
  const spec = {
    orchestrator: "cni",
    workload: "abc",
    node: "host1",
    containerID: "abc",
    endpoint: "eth0",
    ipNetworks: ["10.1.0.4/32"],
    interfaceName: "cali0123456789a",
  };
  const metadata = { name: "host1-cni-abc-eth0", namespace: "default" };

  it("are its interface and addresses", () => {
    const endpoint = resource("WorkloadEndpoint", { ...spec, mac: "02:00:00:00:00:01" }, metadata);
    assert.deepEqual(endpointFacts(endpoint), {
      ifName: "cali0123456789a",
      mac: "02:00:00:00:00:01",
      ips: ["10.1.0.4"],
    });
  });

  it("are none without a MAC address", () => {
    assert.equal(endpointFacts(resource("WorkloadEndpoint", spec, metadata)), undefined);
  });
});

it("a pool's facts are its prefix, how its packets travel, whether it is announced, and whether they are translated", () => {
  const cidr = "10.1.0.0/16";
  const plain = { cidr, encapsulation: { kind: "none" }, disableBgpExport: false, natOutgoing: false };
  assert.deepEqual(poolFacts(resource("IPPool", { cidr })), plain);
  for (const [mode, encapsulation] of [
    [{ vxlanMode: "Always" }, { kind: "vxlan", crossSubnet: false }],
    [{ vxlanMode: "CrossSubnet" }, { kind: "vxlan", crossSubnet: true }],
    [{ ipipMode: "CrossSubnet" }, { kind: "ipip", crossSubnet: true }],
  ] as const) {
    assert.deepEqual(poolFacts(resource("IPPool", { cidr, ...mode })).encapsulation, encapsulation);
  }
  assert.equal(poolFacts(resource("IPPool", { cidr, disableBGPExport: true })).disableBgpExport, true);
  assert.equal(poolFacts(resource("IPPool", { cidr, natOutgoing: true })).natOutgoing, true);
});

describe("the cluster's settings", () => {
  const bgpDefaults = {
    routeSource: "bird",
    asNumber: 64512,
    nodeMesh: true,
    meshRestartSeconds: 120,
    meshPassword: undefined,
    prefixAdvertisements: [],
    ignoredInterfaces: [],
    birdLogLevel: "Info",
    bindsNodeAddress: false,
    listenPort: 179,
  };
  const tunnelDefaults = {
    vxlanVni: 4096,
    vxlanPort: 4789,
    isChecksumOffloadBroken: undefined,
    tunnelMtus: { ipip: 0, vxlan: 0, vxlan6: 0, wireguard: 0 },
    wireguardEnabled: false,
    wireguardPort: 51_820,
  };
  const natDefaults = { natAddress: undefined, natPorts: undefined, natSparesHosts: false };
  const defaults = { ...bgpDefaults, ...tunnelDefaults, ...natDefaults };

  it("have defaults where nothing is stored", () => {
    assert.deepEqual(settingsOf(undefined, undefined), defaults);
  });

  it("are what the two resources say", () => {
    const felix = resource("FelixConfiguration", { programClusterRoutes: "Enabled" });
    const bgp = resource("BGPConfiguration", {
      asNumber: 65000,
      nodeToNodeMeshEnabled: false,
      listenPort: 1790,
    });
    const said = {
      ...defaults,
      routeSource: "datastore",
      asNumber: 65000,
      nodeMesh: false,
      listenPort: 1790,
    };
    assert.deepEqual(settingsOf(felix, bgp), said);
    assert.deepEqual(settingsOf(felix, undefined), { ...defaults, routeSource: "datastore" });
    const encrypted = resource("FelixConfiguration", {
      wireguardEnabled: true,
      wireguardListeningPort: 5000,
    });
    assert.deepEqual(settingsOf(encrypted, undefined), {
      ...defaults,
      wireguardEnabled: true,
      wireguardPort: 5000,
    });
    for (const isChecksumOffloadBroken of [true, false]) {
      const featureDetectOverride = `ChecksumOffloadBroken=${isChecksumOffloadBroken}`;
      const felix = resource("FelixConfiguration", { featureDetectOverride });
      assert.deepEqual(settingsOf(felix, undefined), { ...defaults, isChecksumOffloadBroken });
    }
    for (const [natPortRange, natPorts] of [
      ["1000:1999", [1000, 1999]],
      ["1000", [1000, 1000]],
      [1000, [1000, 1000]],
    ] as const) {
      const translating = resource("FelixConfiguration", {
        natOutgoingAddress: "192.0.2.1",
        natPortRange,
        natOutgoingExclusions: "IPPoolsAndHostIPs",
      });
      const wanted = { ...defaults, natAddress: "192.0.2.1", natPorts, natSparesHosts: true };
      assert.deepEqual(settingsOf(translating, undefined), wanted);
    }
    const off = resource("FelixConfiguration", { programClusterRoutes: "Disabled" });
    assert.deepEqual(settingsOf(off, undefined), defaults);
  });
});
