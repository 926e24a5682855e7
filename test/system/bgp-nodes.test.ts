// SPDX-License-Identifier: Apache-2.0
// BGP among nodes beyond the plain mesh: reflectors, passwords, BFD, systems of their own, and names that try to be more than names.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { apply, patch, remove, resource, routeTo, told, writeSecret } from "./bgp-harness.ts";
import {
  type Lab,
  MARGAY,
  createLab,
  eventually,
  execute,
  killHost,
  lossDuring,
  node,
  pause,
} from "./harness.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/four-hosts.yaml", import.meta.url));
const HOSTS = ["host1", "host2", "host3", "host4"];
const REFLECTORS = ["host3", "host4"];

/** The names of protocols with a session that stands. */
async function established(lab: Lab, host: string): Promise<string> {
  const { bird } = await told(lab, host);
  const up = (bird?.sessions ?? []).filter(({ state }) => state === "Established");
  return up
    .map(({ name }) => name)
    .sort()
    .join(" ");
}

async function speaks(lab: Lab, host: string, names: string): Promise<void> {
  await eventually(async () => (await established(lab, host)) === names, `${host} speaking with ${names}`);
}

async function isWhole(lab: Lab): Promise<void> {
  const report = JSON.parse(await lab.margay("check", "--json")) as { ok: boolean };
  assert.equal(report.ok, true);
}

/** Loses nothing from a to b meanwhile. */
async function losesNothing(lab: Lab, during: () => Promise<void>): Promise<void> {
  const { lost, sent } = await lossDuring(lab, "a", await lab.address("b"), during);
  assert.equal(lost, 0, `of ${sent}`);
}

describe("nodes and BGP", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: TOPOLOGY });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it("have a password on the mesh, which no other file, log or status has", async () => {
    writeSecret(lab, "bgp", "mesh", "tell nobody");
    const nodeMeshPassword = { secretKeyRef: { name: "bgp", key: "mesh" } };
    await losesNothing(lab, async () => {
      await apply(lab, resource("BGPConfiguration", "default", { nodeMeshPassword }));
      await hasConfig((text) => text.includes("tell nobody"));
      await isMeshed();
    });
    const directory = `/run/margay/lab/${lab.name}`;
    const { stdout } = await execute("grep", ["-rl", "tell nobody", directory]);
    const files = stdout
      .trim()
      .split("\n")
      .map((file) => file.slice(directory.length + 1));
    assert.deepEqual(
      files.sort(),
      [...HOSTS.map((host) => `${host}/bird/bird.conf`), "secrets/bgp/mesh"].sort(),
    );
    assert.equal(statSync(`${directory}/host1/bird/bird.conf`).mode & 0o777, 0o600);
    const { stdout: processes } = await execute("ps", ["axww", "-o", "args="]);
    assert.doesNotMatch(processes, /tell nobody/);
    await apply(lab, resource("BGPConfiguration", "default", {}));
    await hasConfig((text) => !text.includes("password"));
    await isMeshed();
  });

  it("move from the mesh to two reflectors, and lose nothing", async () => {
    await losesNothing(lab, async () => {
      for (const host of REFLECTORS) {
        await patch(lab, "node", host, { metadata: { labels: { reflector: "yes" } } });
        await patch(lab, "node", host, { spec: { bgp: { routeReflectorClusterID: "244.0.0.1" } } });
      }
      const spec = { nodeSelector: "all()", peerSelector: "reflector == 'yes'" };
      await apply(lab, resource("BGPPeer", "reflectors", spec));
      await apply(lab, resource("BGPConfiguration", "default", { nodeToNodeMeshEnabled: false }));
      for (const host of ["host1", "host2"]) await speaks(lab, host, "peer_192_168_0_103 peer_192_168_0_104");
      await speaks(lab, "host3", "peer_192_168_0_101 peer_192_168_0_102 peer_192_168_0_104");
      const [block] = (await lab.exec("host2", "ip", "route", "show", "type", "blackhole"))
        .split(" ")
        .slice(1);
      // Told by a reflector, and led straight to the node all the same.
      const isReflected = async (): Promise<boolean> =>
        (await routeTo(lab, "host1", block ?? "")).includes("via 192.168.0.102 dev eth0 proto bird");
      await eventually(isReflected, "the reflected route");
    });
    await isWhole(lab);
  });

  it("lose nothing when a reflector dies, and when it comes back", async () => {
    await losesNothing(lab, async () => {
      await killHost(lab, "host3");
      await pause(2000);
      await lab.repair();
    });
    await isWhole(lab);
  });

  it("go back to the mesh, and lose nothing", async () => {
    await losesNothing(lab, async () => {
      await apply(lab, resource("BGPConfiguration", "default", {}));
      for (const host of REFLECTORS)
        await patch(lab, "node", host, { spec: { bgp: { routeReflectorClusterID: null } } });
      await remove(lab, "BGPPeer", "reflectors");
      await isMeshed();
    });
  });

  it("notice by BFD that another is gone, long before its hold time is over", async () => {
    const bfd = { minReceiveInterval: 100, minTransmitInterval: 100 };
    await apply(lab, resource("BGPPeer", "quick", { nodeSelector: "all()", peerSelector: "all()", bfd }));
    await speaks(lab, "host1", "peer_192_168_0_102 peer_192_168_0_103 peer_192_168_0_104");
    // Three packets that are late end a session, which comes back.
    const isTold = async (): Promise<boolean> =>
      /192\.168\.0\.104 {2}Established {2}BFD Up$/m.test((await node(lab, "host1", "status")).stdout);
    await eventually(isTold, "BFD");
    await lab.exec("underlay", "ip", "link", "set", "host4", "down");
    const isNoticed = async (): Promise<boolean> => {
      const { bird } = await told(lab, "host1");
      const session = bird?.sessions.find(({ peer }) => peer === "192.168.0.104");
      return session?.lastError?.includes("BFD") === true;
    };
    await eventually(isNoticed, "the end of the session, by BFD");
    await lab.exec("underlay", "ip", "link", "set", "host4", "up");
    await speaks(lab, "host1", "peer_192_168_0_102 peer_192_168_0_103 peer_192_168_0_104");
    await remove(lab, "BGPPeer", "quick");
    await isWhole(lab);
  });

  it("have autonomous systems of their own", async () => {
    for (const [index, host] of HOSTS.entries())
      await patch(lab, "node", host, { spec: { bgp: { asNumber: 4_200_000_101 + index } } });
    await hasConfig((text) => text.includes("as 4200000104"));
    await isMeshed();
    for (const host of HOSTS) await patch(lab, "node", host, { spec: { bgp: { asNumber: null } } });
    await hasConfig((text) => !text.includes("as 42000001"));
    await isMeshed();
  });

  it("take no configuration out of names and texts", async () => {
    const evil = 'x"; } protocol static evil { route 0.0.0.0/0 blackhole; } #';
    for (const one of [
      resource("BGPPeer", evil, { peerIP: "192.168.0.1", asNumber: 1 }),
      resource("BGPPeer", "evil", { peerIP: evil, asNumber: 1 }),
      resource("BGPPeer", "evil", { peerIP: "192.168.0.1", asNumber: 1, reachableBy: evil }),
      resource("BGPFilter", "evil", { importV4: [{ interface: evil, action: "Accept" }] }),
      resource("BGPFilter", "evil", { importV4: [{ communities: { values: [evil] }, action: "Accept" }] }),
      resource("BGPConfiguration", "default", { ignoredInterfaces: [evil] }),
      resource("BGPConfiguration", "default", { communities: [{ name: "evil", value: evil }] }),
    ]) {
      const args = ["apply", "-f", "-", "--socket", lab.agentSocket("host1")];
      const { code, stderr } = await execute(MARGAY, args, { stdin: JSON.stringify(one) });
      assert.equal(code, 2, stderr);
    }
    // A name that is a name, and a filter that nobody has: what is not checked when it is written is refused when it is rendered.
    const names = { peerIP: "192.168.0.1", asNumber: 1, filters: [evil] };
    await apply(lab, resource("BGPPeer", "names", names));
    const isTold = async (): Promise<boolean> =>
      (await told(lab, "host1")).degraded.some((line) => line.includes("which is not there"));
    await eventually(isTold, "being told");
    assert.doesNotMatch(readFileSync(`/run/margay/lab/${lab.name}/host1/bird/bird.conf`, "utf8"), /evil/);
    await remove(lab, "BGPPeer", "names");
  });

  /** Waits until every node has a session with every other, and containers reach each other. */
  async function isMeshed(): Promise<void> {
    for (const host of HOSTS)
      await eventually(
        async () => (await established(lab, host)).split(" ").length === 3,
        `the mesh of ${host}`,
      );
    await isWhole(lab);
  }

  /** Waits until every node's BIRD has such a configuration. */
  async function hasConfig(isSo: (text: string) => boolean): Promise<void> {
    const read = (host: string): string =>
      readFileSync(`/run/margay/lab/${lab.name}/${host}/bird/bird.conf`, "utf8");
    await eventually(() => Promise.resolve(HOSTS.every((host) => isSo(read(host)))), "the configuration");
  }
});
