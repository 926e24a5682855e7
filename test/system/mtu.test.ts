// SPDX-License-Identifier: Apache-2.0
// The MTU of containers and tunnels follows the underlay and the tunnels in use, also of containers that run already.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { apply, remove, resource } from "./bgp-harness.ts";
import { type Lab, agentStatus, createLab, eventuallyEqual } from "./harness.ts";
import { FELIX_KEY, patch, setMode } from "./tunnel-harness.ts";

describe("the MTU", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ routeSource: "datastore" });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });
  const mtuOf = async (node: string, link: string): Promise<string> =>
    /mtu (\d+)/.exec(await lab.exec(node, "ip", "link", "show", link))?.[1] ?? "";
  /** Of a container's two ends and of the tunnel device. */
  const mtus = async (): Promise<string> => {
    const { interface: nodeEnd } = await lab.container("a");
    const tunnel = await mtuOf("host1", "vxlan.calico").catch(() => "none");
    return [await mtuOf("a", "eth0"), await mtuOf("host1", nodeEnd), tunnel].join(" ");
  };

  it("of a running container follows the pool's mode, down and up", async () => {
    assert.equal(await mtus(), "1500 1500 none");
    await setMode(lab, { vxlanMode: "Always" });
    await eventuallyEqual(mtus, "1450 1450 1450");
    await setMode(lab, {});
    await eventuallyEqual(mtus, "1500 1500 none");
  });

  it("follows the underlay, and a new container gets what the others have", async () => {
    await setMode(lab, { vxlanMode: "Always" });
    await lab.exec("host1", "ip", "link", "set", "eth0", "mtu", "1400");
    await eventuallyEqual(mtus, "1350 1350 1350");
    await lab.margay("add", "e", "--host", "host1");
    assert.equal(await mtuOf("e", "eth0"), "1350");
    await lab.exec("host1", "ip", "link", "set", "eth0", "mtu", "1500");
    await eventuallyEqual(mtus, "1450 1450 1450");
  });

  it("is what the node's own FelixConfiguration says, before the one for all", async () => {
    await apply(
      lab,
      resource("FelixConfiguration", "node.host1", { vxlanMTU: 1380 }),
      resource("FelixConfiguration", "node.host2", { vxlanMTU: 1280 }),
    );
    await eventuallyEqual(mtus, "1380 1380 1380");
    // What it does not say is the others' still: here, where routes come from.
    assert.equal((await agentStatus(lab, "host1")).routeSource, "datastore");
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: 1390 } });
    await remove(lab, "FelixConfiguration", "node.host1");
    await eventuallyEqual(mtus, "1390 1390 1390");
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: 0 } });
    await eventuallyEqual(mtus, "1450 1450 1450");
  });

  it("set by hand on a node end is set right", async () => {
    const { interface: nodeEnd } = await lab.container("a");
    await lab.exec("host1", "ip", "link", "set", nodeEnd, "mtu", "1300");
    await eventuallyEqual(mtus, "1450 1450 1450");
  });
});
