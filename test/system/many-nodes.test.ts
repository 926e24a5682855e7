// SPDX-License-Identifier: Apache-2.0
// Two hundred other nodes, which are records in the datastore only: what a host's kernel holds for them.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import type { Store } from "../../src/datastore/store.ts";
import { makeNode, makePool } from "../../src/ipam/allocator-fixtures.ts";
import { resourceKey } from "../../src/model/keys.ts";
import { addressAt, parseCidr } from "../../src/net/cidr.ts";
import { type Lab, createLab, eventuallyEqual } from "./harness.ts";

const ONE_HOST = fileURLToPath(new URL("./one-host.yaml", import.meta.url));
const NODES = 200;
const LAN = parseCidr("192.168.0.0/24");
const POOL = makePool("default-ipv4-ippool", "10.1.0.0/16", 26);

/** What the host's kernel holds for other nodes, in numbers. */
interface Tables {
  /** Devices of VXLAN and of IPIP, or the pair of programs that stands for the latter. */
  readonly vxlan: number;
  readonly ipip: number;
  /** Routes to other nodes' blocks. */
  readonly direct: number;
  readonly throughVxlan: number;
  readonly throughIpip: number;
  readonly forwarding: number;
  readonly neighbours: number;
}

const NOTHING: Tables = {
  vxlan: 0,
  ipip: 0,
  direct: 0,
  throughVxlan: 0,
  throughIpip: 0,
  forwarding: 0,
  neighbours: 0,
};

/** What there is with each encapsulation: without other nodes, and with them. */
const EXPECTED: Readonly<Record<string, { readonly alone: Tables; readonly among: Partial<Tables> }>> = {
  none: { alone: NOTHING, among: { direct: NODES } },
  vxlan: {
    alone: { ...NOTHING, vxlan: 1 },
    among: { throughVxlan: NODES, forwarding: NODES, neighbours: NODES },
  },
  ipip: { alone: { ...NOTHING, ipip: 1 }, among: { throughIpip: NODES } },
};

async function tablesOf(lab: Lab): Promise<Tables> {
  const count = async (pattern: RegExp, ...command: readonly string[]): Promise<number> =>
    [...(await lab.exec("host1", ...command).catch(() => "")).matchAll(pattern)].length;
  const routes = ["ip", "route", "show", "proto", "80"];
  const inIpip = await count(/^10\.\S+\/26 via .*(dev tunl0| mtu 1480)/gm, ...routes);
  return {
    vxlan: await count(/^vxlan/gm, "ip", "-br", "link", "show", "type", "vxlan"),
    ipip:
      (await count(/^tunl0.*\bUP\b/gm, "ip", "-br", "link", "show", "type", "ipip")) +
      (await count(/direct-action/g, "tc", "filter", "show", "dev", "eth0", "egress")),
    direct:
      (await count(/^10\.\S+\/26 via .*dev eth0/gm, ...routes)) - (await count(/ mtu 1480/g, ...routes)),
    throughVxlan: await count(/^10\.\S+\/26 via .*dev vxlan\.calico/gm, ...routes),
    throughIpip: inIpip,
    forwarding: await count(/ dst /g, "bridge", "fdb", "show", "dev", "vxlan.calico"),
    neighbours: await count(/PERMANENT/g, "ip", "neigh", "show", "dev", "vxlan.calico"),
  };
}

/** A node as it registers itself, with ends of both kinds of tunnel. */
function specOf(index: number, block: string): object {
  const inside = addressAt(parseCidr(block), 0);
  return {
    bgp: { ipv4Address: `${addressAt(LAN, 10 + index)}/24`, ipv4IPIPTunnelAddr: inside },
    ipv4VXLANTunnelAddr: inside,
    vxlanTunnelMACAddr: `66:00:00:00:00:${index.toString(16).padStart(2, "0")}`,
  };
}

async function putNode(store: Store, index: number, spec: object): Promise<void> {
  const metadata = { name: nameOf(index) };
  const node = { apiVersion: "projectcalico.org/v3", kind: "Node", metadata, spec };
  await store.put(resourceKey("Node", metadata.name), JSON.stringify(node));
}

const nameOf = (index: number): string => `other${index}`;
const indices = Array.from({ length: NODES }, (_, index) => index);

/** Takes a block for each node, as the node itself would. */
async function claimBlocks(store: Store): Promise<readonly string[]> {
  const blocks: string[] = [];
  for (const index of indices) {
    const request = { pools: [POOL], family: 4, strictAffinity: false, maxBlocks: 0 } as const;
    const claim = await makeNode(store, nameOf(index)).claimSpareBlock(request);
    blocks.push(claim.kind === "claimed" ? claim.block : assert.fail(claim.kind));
  }
  return blocks;
}

describe("a node among two hundred", () => {
  let lab: Lab;
  let store: Store;
  let blocks: readonly string[];
  before(async () => {
    lab = await createLab({ topology: ONE_HOST, routeSource: "datastore" });
    store = connectStore({ socketPath: lab.agentSocket("host1") });
    await withoutAddresses();
    blocks = await claimBlocks(store);
    await register();
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  const register = async (): Promise<void> => {
    for (const [index, block] of blocks.entries()) await putNode(store, index, specOf(index, block));
  };
  /** Nothing leads to such a node; one that is not there at all loses its block after a while. */
  const withoutAddresses = async (): Promise<void> => {
    for (const index of indices) await putNode(store, index, {});
  };
  const eventuallyHas = (tables: Tables): Promise<void> =>
    eventuallyEqual(async () => JSON.stringify(await tablesOf(lab)), JSON.stringify(tables));

  for (const [encapsulation, { alone, among }] of Object.entries(EXPECTED)) {
    it(`has a route to each block and one end of a tunnel at most, with encapsulation ${encapsulation}`, async () => {
      await lab.margay("up", "--encapsulation", encapsulation);
      await eventuallyHas({ ...alone, ...among });
      await withoutAddresses();
      await eventuallyHas(alone);
      await register();
      await eventuallyHas({ ...alone, ...among });
    });
  }
});
