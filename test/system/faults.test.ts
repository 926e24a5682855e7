// SPDX-License-Identifier: Apache-2.0
// Parts die while containers talk: nothing is lost, and what others changed meanwhile is repaired.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type Lab,
  agentStatus,
  createLab,
  eventually,
  eventuallyEqual,
  killAgent,
  lossDuring,
  pause,
} from "./harness.ts";
import { watchRoutes } from "./route-watch.ts";

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`when parts die, with routes from ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ routeSource });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    it("an agent's sudden death and its return lose no packet", async () => {
      const { lost } = await lossDuring(lab, "a", await lab.address("d"), async () => {
        await killAgent(lab, "host1");
        await pause(500);
        await killAgent(lab, "host2");
        await lab.repair();
      });
      assert.equal(lost, 0);
    });

    it("a returning agent repairs what was changed, and touches nothing that is right or another's", async () => {
      const own = await lab.address("a");
      const { interface: nodeEnd } = await lab.container("a");
      await lab.exec("host1", "ip", "route", "add", "10.97.0.0/24", "via", "192.168.0.102");
      const whole = await lab.exec("host1", "ip", "route");
      await killAgent(lab, "host1");
      const forwarding = `/proc/sys/net/ipv4/conf/${nodeEnd}/forwarding`;
      await lab.exec("host1", "sh", "-c", `echo 0 > ${forwarding}`);
      await lab.exec("host1", "ip", "route", "del", `${await lab.address("b")}/32`);
      await lab.exec("host1", "ip", "neigh", "del", own, "dev", nodeEnd);
      await lab.exec("host1", "ip", "route", "add", "10.98.0.0/24", "via", "192.168.0.102", "proto", "80");
      await lab.exec("host1", "ip", "route", "add", "10.99.0.0/24", "dev", nodeEnd);
      await using watch = await watchRoutes(lab, "host1");
      await lab.repair();
      await eventuallyEqual(() => lab.exec("host1", "ip", "route"), whole);
      assert.equal((await lab.exec("host1", "cat", forwarding)).trim(), "1");
      assert.match(
        await lab.exec("host1", "ip", "neigh", "show", "dev", nodeEnd),
        new RegExp(`${own} .* PERMANENT`),
      );
      assert.deepEqual((await watch.deleted()).toSorted(), ["10.98.0.0/24", "10.99.0.0/24"]);
      await lab.exec("host1", "ip", "route", "del", "10.97.0.0/24");
    });

    it("a running agent repairs a route that somebody removes", async () => {
      const own = await lab.address("a");
      await lab.exec("host1", "ip", "route", "del", `${own}/32`);
      await eventually(
        async () => (await lab.exec("host1", "ip", "route")).includes(`${own} dev cali`),
        "the route to a",
      );
    });

    it("is ready again afterwards", async () => {
      await eventually(async () => (await agentStatus(lab, "host1")).ready, "host1 being ready");
    });
  });
}

describe("when BIRD dies", () => {
  it("it is started again, and no packet is lost", async () => {
    await using lab = await createLab();
    const before = await lab.host("host1");
    const { lost } = await lossDuring(lab, "a", await lab.address("d"), async () => {
      process.kill(before.bird?.pid ?? assert.fail("no BIRD"), "SIGKILL");
      await eventually(async () => {
        const { bird } = await lab.host("host1");
        return bird !== null && bird.pid !== before.bird?.pid;
      }, "another BIRD");
      await eventually(async () => (await agentStatus(lab, "host1")).ready, "sessions being up again");
      // Its peers forget what it no longer announces at the end of a graceful restart.
      await pause(3000);
    });
    assert.equal(lost, 0);
  });

  it("and the agent with it, the next agent starts it again", async () => {
    await using lab = await createLab();
    const before = await lab.host("host2");
    await killAgent(lab, "host2");
    process.kill(before.bird?.pid ?? assert.fail("no BIRD"), "SIGKILL");
    await lab.repair();
    assert.notEqual((await lab.host("host2")).bird?.pid, before.bird?.pid);
    assert.equal((JSON.parse(await lab.margay("check", "--json")) as { ok: boolean }).ok, true);
  });

  it("an agent that returns finds the BIRD that its predecessor left", async () => {
    await using lab = await createLab();
    const before = await lab.host("host1");
    await killAgent(lab, "host1");
    await lab.repair();
    assert.equal((await lab.host("host1")).bird?.pid, before.bird?.pid);
  });
});

describe("moving a running cluster", () => {
  it("from BIRD to the datastore and back loses no packet", async () => {
    await using lab = await createLab({ routeSource: "bird" });
    const { lost } = await lossDuring(lab, "a", await lab.address("d"), async () => {
      await lab.margay("up", "--route-source", "datastore");
      await eventually(
        async () => (await lab.status()).hosts.every(({ bird }) => bird === null),
        "the end of every BIRD",
      );
      assert.match(await lab.exec("host1", "ip", "route"), /\/26 via 192\.168\.0\.102 dev eth0 proto 80/);
      assert.doesNotMatch(await lab.exec("host1", "ip", "route"), /proto bird/);
      await lab.margay("up", "--route-source", "bird");
      await eventually(
        async () => !(await lab.exec("host1", "ip", "route")).includes("via 192.168.0.102 dev eth0 proto 80"),
        "the agent's routes going",
      );
      assert.match(await lab.exec("host1", "ip", "route"), /\/26 via 192\.168\.0\.102 dev eth0 proto bird/);
    });
    assert.equal(lost, 0);
  });
});
