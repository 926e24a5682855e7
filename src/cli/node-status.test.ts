// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeStatus } from "../agent/answers.ts";
import { renderNodeStatus } from "./node-status.ts";

const WELL = {
  nodeName: "host1",
  version: "0.1.0",
  pid: 7,
  started: true,
  ready: true,
  reasons: [],
  degraded: [],
  ignored: [],
  ipv6Address: null,
  address: { current: "192.168.0.101/24", reason: "first-found: eth0 has the default route", passedOver: [] },
  routeSource: "datastore",
  pools: [{ name: "pool", cidr: "10.1.0.0/16", ipipMode: "Never", vxlanMode: "CrossSubnet" }],
  mtu: { underlay: 1500, containers: 1450 },
  tunnels: [{ kind: "vxlan", address: "10.1.0.1", mtu: 1450, checksums: "offloaded" }],
  bird: null,
  peers: [],
  dataplane: { isSettled: true, wanted: { link: 0, route: 3 }, faults: [], blocked: [] },
  unroutable: [],
  memory: { rss: 2, heapUsed: 1 },
};

/** As a person sees it. */
function render(status: object): string {
  return renderNodeStatus(nodeStatus.parse(status));
}

describe("a node's status", () => {
  it("says how a node works that has no trouble", () => {
    const text = [
      "host1 is ready",
      "Address:",
      "  192.168.0.101/24 (first-found: eth0 has the default route)",
      "Routes to other nodes:",
      "  from the datastore",
      "Pools:",
      "  pool  10.1.0.0/16  VXLAN CrossSubnet",
      "MTU:",
      "  underlay  1500",
      "  vxlan  1450  this end is 10.1.0.1",
      "  containers  1450",
      "Kernel:",
      "  is as it should be",
      "  route 3",
    ];
    assert.equal(render(WELL), text.join("\n"));
  });

  it("says first what is amiss", () => {
    const fault = { kind: "link", key: "vxlan.calico", reason: "no" };
    const dataplane = { ...WELL.dataplane, faults: [fault], blocked: [{ ...fault, kind: "route" }] };
    const text = render({
      ...WELL,
      ready: false,
      reasons: ["vxlan.calico: no"],
      degraded: ["bird: no session"],
      ignored: ["no such field"],
      unroutable: [{ dst: "10.1.2.0/26", reason: "no end" }],
      dataplane,
    });
    const [first] = text.split("Address:");
    const wanted = [
      "host1 is not ready",
      "Not ready, because:",
      "  vxlan.calico: no",
      "Amiss:",
      "  bird: no session",
      "Not known, and ignored:",
      "  no such field",
      "Without a route:",
      "  10.1.2.0/26: no end",
      "",
    ];
    assert.equal(first, wanted.join("\n"));
    assert.match(text, /^ {2}fault {2}link vxlan\.calico: no$/m);
    assert.match(text, /^ {2}waits {2}route vxlan\.calico: no$/m);
  });

  it("shows BIRD's sessions", () => {
    const session = {
      name: "mesh_1",
      peer: "192.168.0.102",
      state: "Established",
      sinceMs: 0,
      imported: 2,
      exported: 1,
    };
    const bird = { pid: 12, version: "2.0.12", sessions: [session], recovering: false };
    const text = render({ ...WELL, routeSource: "bird", bird });
    assert.match(text, /^ {2}by BGP; BIRD runs as process 12$/m);
    assert.match(text, /^ {2}mesh_1 {2}192\.168\.0\.102 {2}Established$/m);
    const watched = { ...bird, sessions: [{ ...session, bfd: "Up" }] };
    assert.match(
      render({ ...WELL, routeSource: "bird", bird: watched }),
      /^ {2}mesh_1 {2}192\.168\.0\.102 {2}Established {2}BFD Up$/m,
    );
  });

  it("is passed on whole", () => {
    assert.deepEqual(nodeStatus.parse(WELL), WELL);
  });
});
