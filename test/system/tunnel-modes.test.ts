// SPDX-License-Identifier: Apache-2.0
// A pool's mode changes on a running cluster while packets flow, and none is lost: make before break on every node, each of
// which learns of the change at its own time.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type Lab,
  MARGAY,
  agentStatus,
  createLab,
  eventually,
  lossDuring,
  pause,
  succeed,
} from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { type Mode, TWO_SUBNETS, setMode, streamDuring } from "./tunnel-harness.ts";

/** What a route from host1 to the other node's block leads through. */
type Through = "underlay" | "ipip" | "vxlan";

interface Step {
  readonly mode: Mode;
  readonly near: Through;
  readonly far: Through;
}

const NEVER: Step = { mode: {}, near: "underlay", far: "underlay" };
const STEPS: Readonly<Record<string, Step>> = {
  "IPIP across subnets": { mode: { ipipMode: "CrossSubnet" }, near: "underlay", far: "ipip" },
  "IPIP always": { mode: { ipipMode: "Always" }, near: "ipip", far: "ipip" },
  "VXLAN always": { mode: { vxlanMode: "Always" }, near: "vxlan", far: "vxlan" },
  "VXLAN across subnets": { mode: { vxlanMode: "CrossSubnet" }, near: "underlay", far: "vxlan" },
  "IPIP always again": { mode: { ipipMode: "Always" }, near: "ipip", far: "ipip" },
};

/** What the host's kernel does with a packet to the address. */
async function throughOf(lab: Lab, host: string, address: string): Promise<Through> {
  const [route = ""] = (await lab.exec(host, "ip", "route", "get", address)).split("\n");
  if (route.includes("vxlan.calico")) return "vxlan";
  // By programs, only the room that the route leaves tells.
  const listed = await lab.exec(host, "ip", "route", "show", "match", address, "proto", "80");
  const isByPrograms = /\/\d+ via .* mtu 1480/.test(listed);
  return route.includes("tunl0") || isByPrograms ? "ipip" : "underlay";
}

async function isSettled(lab: Lab, hosts: readonly string[]): Promise<boolean> {
  const statuses = await Promise.all(hosts.map((host) => agentStatus(lab, host)));
  return statuses.every(({ ready, degraded }) => ready && degraded.length === 0);
}

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`a pool's mode, routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ routeSource });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    it("changes from each to the next and back, and is that of its parts when the pool is split, and neither a ping nor a stream loses anything", async () => {
      const [a, d] = [await lab.address("a"), await lab.address("d")];
      const inForce = (through: Through, what: string): Promise<void> =>
        eventually(
          async () =>
            (await throughOf(lab, "host1", d)) === through &&
            (await throughOf(lab, "host2", a)) === through &&
            (await isSettled(lab, ["host1", "host2"])),
          `${what} in force`,
        );
      const split = ["ipam", "split", "2", "--cidr", "10.1.0.0/16", "--socket", lab.agentSocket("host1")];
      const last = routeSource === "bird" ? ("underlay" as const) : ("vxlan" as const);
      const changes = async (): Promise<void> => {
        for (const [name, { mode, near }] of [...Object.entries(STEPS), ["never", NEVER] as const]) {
          await setMode(lab, mode);
          await inForce(near, name);
          await pause(200);
        }
        if (last === "vxlan") await setMode(lab, { vxlanMode: "Always" });
        await inForce(last, "the last mode");
        await succeed(MARGAY, split);
        await inForce(last, "the parts' mode");
      };
      const { lost, sent } = await lossDuring(lab, "a", d, () => streamDuring(lab, "b", "c", changes));
      assert.equal(lost, 0, `of ${sent}`);
    });
  });
}

describe("a pool's mode, hosts on two networks", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: TWO_SUBNETS });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it("changes between tunnels, and neither a ping to the near nor to the far host loses anything", async () => {
    const changes = async (): Promise<void> => {
      for (const [name, { mode, near, far }] of Object.entries(STEPS)) {
        await setMode(lab, mode);
        const [b, c] = [await lab.address("b"), await lab.address("c")];
        await eventually(
          async () =>
            (await throughOf(lab, "host1", b)) === near &&
            (await throughOf(lab, "host1", c)) === far &&
            (await isSettled(lab, ["host1", "host2", "host3"])),
          `${name} in force`,
        );
        await pause(200);
      }
    };
    const near = lossDuring(lab, "a", await lab.address("b"), async () => {
      const far = await lossDuring(lab, "a", await lab.address("c"), changes);
      assert.equal(far.lost, 0, `far, of ${far.sent}`);
    });
    const { lost, sent } = await near;
    assert.equal(lost, 0, `near, of ${sent}`);
  });

  it("leaves the far host out of reach where it is to be reached without a tunnel, and says so", async () => {
    await setMode(lab, {});
    const c = await lab.address("c");
    await eventually(async () => {
      const { unroutable } = await agentStatus(lab, "host1");
      return unroutable.some(({ reason }) => reason.includes("is not on this node's network"));
    }, "the reason");
    await eventually(
      async () => (await lab.exec("a", "sh", "-c", `ping -n -c 1 -W 1 ${c} || true`)).includes("0 received"),
      "the end of the tunnel",
    );
    await lab.exec("a", ...PING_ONCE, await lab.address("b"));
  });
});
