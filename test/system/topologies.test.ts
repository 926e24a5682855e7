// SPDX-License-Identifier: Apache-2.0
// The topologies that ship with the lab: who reaches whom, by what, for each encapsulation that a pool can have.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { type Lab, agentStatus, createLab } from "./harness.ts";
import { TWO_SUBNETS, captureOf, failedPairs } from "./tunnel-harness.ts";

const TWENTY_HOSTS = fileURLToPath(new URL("../../src/lab/topologies/twenty-hosts.yaml", import.meta.url));

type Carrier = "as they are" | "by VXLAN" | "by IPIP";

/** How a ping travels on the host's underlay. */
async function carrierOf(lab: Lab, host: string, from: string, to: string): Promise<Carrier> {
  const seen = await captureOf(lab, host, from, await lab.address(to));
  if (seen.includes("VXLAN")) return "by VXLAN";
  return /IP 192\.168\S+ > 192\.168\S+: IP /.test(seen) ? "by IPIP" : "as they are";
}

/** From host1, to the host of its own segment and to the one behind the router. */
const CARRIERS: Readonly<Record<string, readonly [near: Carrier, far: Carrier | "nowhere"]>> = {
  none: ["as they are", "nowhere"],
  "vxlan-cross-subnet": ["as they are", "by VXLAN"],
  vxlan: ["by VXLAN", "by VXLAN"],
  "ipip-cross-subnet": ["as they are", "by IPIP"],
  ipip: ["by IPIP", "by IPIP"],
};

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`two subnets, routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ topology: TWO_SUBNETS, routeSource });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    for (const [encapsulation, [near, far]] of Object.entries(CARRIERS)) {
      it(`has packets travel ${near} in a segment and ${far} between segments with encapsulation ${encapsulation}`, async () => {
        await lab.margay("up", "--encapsulation", encapsulation);
        assert.equal(await carrierOf(lab, "host1", "a", "b"), near);
        if (far === "nowhere") {
          assert.deepEqual(await failedPairs(lab), ["a c", "b c", "c a", "c b"]);
          const { unroutable } = await agentStatus(lab, "host1");
          assert.match(unroutable.map(({ reason }) => reason).join(), /not on this node's network/);
        } else {
          assert.deepEqual(await failedPairs(lab), []);
          assert.equal(await carrierOf(lab, "host1", "a", "c"), far);
        }
      });
    }

    it("keeps its encapsulation when it is brought up again", async () => {
      await lab.margay("up", "--encapsulation", "vxlan");
      await lab.margay("up");
      assert.equal(await carrierOf(lab, "host1", "a", "b"), "by VXLAN");
    });
  });
}

describe("twenty hosts", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: TWENTY_HOSTS });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it("have all containers reach each other by routes of BIRD", async () => {
    assert.deepEqual(await failedPairs(lab), []);
    const routes = await lab.exec("host20", "ip", "route", "show", "proto", "bird");
    assert.equal(routes.match(/^10\.1\.\d+\.\d+\/26 via 192\.168\.0\.\d+ dev eth0/gm)?.length, 19, routes);
  });

  it("have one device each where the pool asks for VXLAN, with routes of the datastore", async () => {
    await lab.margay("up", "--route-source", "datastore", "--encapsulation", "vxlan");
    assert.deepEqual(await failedPairs(lab), []);
    const { hosts } = await lab.status();
    for (const { name } of hosts) {
      const devices = await lab.exec(name, "ip", "-br", "link", "show", "type", "vxlan");
      assert.match(devices, /^vxlan\.calico .*\n$/);
      const entries = await lab.exec(name, "bridge", "fdb", "show", "dev", "vxlan.calico");
      assert.equal(entries.trim().split("\n").length, 19, entries);
    }
  });
});
