// SPDX-License-Identifier: Apache-2.0
// IPv6 beside IPv4: what nodes and a router tell each other over IPv6, as their kernels have it.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { affinityPrefix } from "../../src/model/keys.ts";
import { parseNodeName } from "../../src/model/name.ts";
import { apply, patch, resource, sessionWith, told } from "./bgp-harness.ts";
import { type Lab, createLab, eventually, execute, readStore } from "./harness.ts";

const TOPOLOGY = fileURLToPath(new URL("two-families.yaml", import.meta.url));
const ADDRESSES: Readonly<Record<string, string>> = {
  tor: "fd00:1::1",
  host1: "fd00:1::101",
  host2: "fd00:1::102",
};
const PAIRS = [
  ["host1", "host2"],
  ["host2", "host1"],
] as const;
const BEHIND = "2001:db8:1::/48";

/** The block of the IPv6 pool that the host has claimed ahead of need. */
async function blockOf(lab: Lab, host: string): Promise<string> {
  const prefix = affinityPrefix(parseNodeName(host), 6);
  let blocks: readonly string[] = [];
  await eventually(async () => {
    blocks = [...(await readStore(lab, prefix)).keys()];
    return blocks.length === 1;
  }, `a block of ${host}`);
  return (blocks[0] ?? "").slice(prefix.length).replace("-", "/");
}

/** The IPv6 route to the prefix in the host's kernel; empty where there is none. */
async function routeTo(lab: Lab, host: string, prefix: string): Promise<string> {
  return (await lab.exec(host, "ip", "-6", "route", "show", prefix)).replaceAll(/ +/g, " ");
}

describe("IPv6 beside IPv4", () => {
  let lab: Lab;
  const blocks: Record<string, string> = {};
  before(async () => {
    lab = await createLab({ topology: TOPOLOGY });
    for (const [node, address] of Object.entries(ADDRESSES))
      await lab.exec(node, "ip", "address", "add", `${address}/64`, "dev", "eth0", "nodad");
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  const speak = async (host: string, peer: string): Promise<void> => {
    await eventually(
      async () => (await sessionWith(lab, host, peer))?.state === "Established",
      `${host} speaking with ${peer}`,
    );
  };
  const hasRoute = async (host: string, prefix: string, route: string): Promise<void> => {
    await eventually(async () => (await routeTo(lab, host, prefix)).startsWith(`${prefix} ${route}`), route);
  };

  it("is the mesh's too, once nodes have IPv6 addresses, and brings each node the other's block", async () => {
    for (const host of ["host1", "host2"]) {
      const ipv6Address = `${ADDRESSES[host] ?? ""}/64`;
      await patch(lab, "node", host, { spec: { bgp: { ipv6Address } } });
      blocks[host] = await blockOf(lab, host);
    }
    await speak("host1", "fd00:1::102");
    await speak("host2", "fd00:1::101");
    await speak("host1", "192.168.0.102");
    for (const [host, other] of PAIRS) {
      const via = `via ${ADDRESSES[other] ?? ""} dev eth0 proto bird metric 32`;
      await hasRoute(host, blocks[other] ?? "", via);
      const own = blocks[host] ?? "";
      const isOwn = async (): Promise<boolean> =>
        (await routeTo(lab, host, own)).startsWith(`blackhole ${own} dev lo proto 80 `);
      await eventually(isOwn, `${host}'s own block`);
    }
  });

  it("takes the prefix of a router that speaks it, and tells the router of blocks", async () => {
    await apply(lab, resource("BGPPeer", "tor6", { peerIP: "fd00:1::1", asNumber: 64999 }));
    await speak("host1", "fd00:1::1");
    // A router tells of its address of the link as well; that is the one that the kernel gets (RFC 2545 section 3).
    await eventually(
      async () => /dev eth0 proto bird metric 32/.test(await routeTo(lab, "host1", BEHIND)),
      "the router's prefix",
    );
    const isTold = async (): Promise<boolean> => {
      const { stdout } = await execute("vtysh", [
        "-N",
        `margay-${lab.name}-tor`,
        "-c",
        "show bgp ipv6 unicast",
      ]);
      return Object.values(blocks).every((block) => stdout.includes(block));
    };
    await eventually(isTold, "the router hearing of both blocks");
  });

  it("has the metric that a filter sets, and no other", async () => {
    const peer = { peerIP: "fd00:1::1", asNumber: 64999, filters: ["metrics"] };
    const importV6 = [{ action: "Accept", operations: [{ setPriority: { value: 77 } }] }];
    await apply(lab, resource("BGPFilter", "metrics", { importV6 }), resource("BGPPeer", "tor6", peer));
    const isSole = async (): Promise<boolean> =>
      new RegExp(`^${BEHIND} via \\S+ dev eth0 proto bird metric 77 pref medium$`).test(
        (await routeTo(lab, "host1", BEHIND)).trim(),
      );
    await eventually(isSole, "the metric");
  });

  it("comes from the datastore as well", async () => {
    await patch(lab, "felixconfig", "default", { spec: { programClusterRoutes: "Enabled" } });
    for (const [host, other] of PAIRS) {
      const route = `via ${ADDRESSES[other] ?? ""} dev eth0 proto 80 metric 1024`;
      await hasRoute(host, blocks[other] ?? "", route);
    }
    await eventually(async () => (await told(lab, "host1")).bird === null, "the end of BIRD");
    assert.equal((await lab.exec("host1", "ip", "-6", "route", "show", "proto", "bird")).trim(), "");
  });
});
