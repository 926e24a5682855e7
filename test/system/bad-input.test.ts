// SPDX-License-Identifier: Apache-2.0
// Resources that another tool has stored wrongly, or that the machine cannot serve: said by `margay node status`, while the rest of the node works.
import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { resourceKey } from "../../src/model/keys.ts";
import { type Lab, createLab, eventually, node } from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { patch, setMode } from "./tunnel-harness.ts";

const FELIX_KEY = resourceKey("FelixConfiguration", "default");
const DEFAULT_POOL = "default-ipv4-ippool";
/** Takes a UDP port and keeps it. */
const TAKE_PORT = `require("node:dgram").createSocket("udp4").bind(4789, () => console.log("taken"))`;

interface Told {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly degraded: readonly string[];
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

describe("a node with bad input", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ routeSource: "datastore" });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await eventually(async () => (await told()).degraded.length === 0, "nothing amiss any more");
  });

  const nodeStatus = (...args: readonly string[]) => node(lab, "host1", "status", ...args);
  const told = async (): Promise<Told> => JSON.parse((await nodeStatus("--json")).stdout) as Told;

  /** Waits until a person is told so, and sees that packets flow all the same. */
  async function isTold(what: RegExp, { ready }: { readonly ready: boolean }): Promise<void> {
    let outcome = await nodeStatus();
    const isSo = async (): Promise<boolean> => {
      outcome = await nodeStatus();
      // What it is told of has an effect of its own, a moment later.
      return what.test(outcome.stdout) && outcome.code === (ready ? 0 : 1);
    };
    await eventually(isSo, String(what)).catch(() => {
      assert.match(outcome.stdout, what);
    });
    assert.equal(outcome.code, ready ? 0 : 1, outcome.stdout);
    await lab.exec("a", ...PING_ONCE, await lab.address("c"));
  }

  /** Stores a resource as another tool may, while `during` runs. */
  async function withStored(key: string, resource: object, during: () => Promise<void>): Promise<void> {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    await store.put(key, JSON.stringify({ apiVersion: "projectcalico.org/v3", ...resource }), {
      expect: "absent",
    });
    try {
      await during();
    } finally {
      await store.delete(key);
    }
  }

  /** Waits until the pool's own status says so. */
  async function isMarked(pool: string, what: RegExp): Promise<void> {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    let text = "";
    const isSo = async (): Promise<boolean> => {
      const entry = await store.get(resourceKey("IPPool", pool));
      const { status } = JSON.parse(entry?.value ?? assert.fail(pool)) as {
        status?: { conditions?: Condition[] };
      };
      text = (status?.conditions ?? [])
        .map(({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`)
        .join("\n");
      return what.test(text);
    };
    await eventually(isSo, String(what)).catch(() => {
      assert.match(text, what);
    });
  }

  function withPool(spec: object, during: () => Promise<void>): Promise<void> {
    const pool = { kind: "IPPool", metadata: { name: "bad" }, spec };
    return withStored(resourceKey("IPPool", "bad"), pool, during);
  }

  async function addsContainers(): Promise<void> {
    await lab.margay("add", "late", "--host", "host1");
    assert.match(await lab.address("late"), /^10\.1\./);
    await lab.margay("rm", "late");
  }

  const wrong: readonly (readonly [what: string, spec: object, words: RegExp])[] = [
    [
      "both modes",
      { cidr: "10.9.0.0/16", ipipMode: "Always", vxlanMode: "CrossSubnet" },
      /ippools\/bad": spec\.vxlanMode: a pool has one encapsulation/,
    ],
    ["IPIP for IPv6", { cidr: "fd00:9::/64", ipipMode: "Always" }, /spec\.ipipMode: IPIP carries IPv4 only/],
    [
      "a size that no block has",
      { cidr: "10.9.0.0/16", blockSize: 8 },
      /ippools\/bad": spec\.blockSize: want 20 to 32/,
    ],
  ];
  for (const [what, spec, words] of wrong) {
    it(`says that a pool has ${what}, and does without it`, async () => {
      await withPool(spec, async () => {
        await isTold(words, { ready: true });
        await isMarked("bad", /^Allocatable False Invalid: spec\./);
        await addsContainers();
      });
    });
  }

  it("says of the pool that serves that it does", async () => {
    await isMarked(DEFAULT_POOL, /^Allocatable True OK: /);
  });

  it("says that a pool has become wrong, goes by what it was before, and takes it back once it is right", async () => {
    const key = resourceKey("IPPool", DEFAULT_POOL);
    await patch(lab, key, { spec: { ipipMode: "Always", vxlanMode: "Always" } });
    await isMarked(DEFAULT_POOL, /^Allocatable False Invalid: spec\.vxlanMode: a pool has one encapsulation/);
    await addsContainers();
    await setMode(lab, {});
    await isMarked(DEFAULT_POOL, /^Allocatable True OK: /);
  });

  it("says that a pool has a field that nobody knows, and goes by the others", async () => {
    await withPool({ cidr: "10.9.0.0/16", vxlanmode: "Always" }, async () => {
      await isTold(/ippools\/bad", spec\.vxlanmode: there is no field "vxlanmode"/, { ready: true });
      assert.deepEqual((await told()).degraded, []);
      await addsContainers();
    });
  });

  it("says that a pool overlaps the underlay, and takes addresses from another", async () => {
    await withPool({ cidr: "192.168.0.0/25" }, async () => {
      await isTold(/pool "bad" \("192\.168\.0\.0\/25"\) overlaps the network of node "host1"/, {
        ready: true,
      });
      await isMarked("bad", /^Allocatable False CIDROverlap: .* overlaps the network of node "host1"/);
      await addsContainers();
    });
  });

  it("says that a pool overlaps one that serves, which goes on serving", async () => {
    await withPool({ cidr: "10.1.128.0/17" }, async () => {
      await isTold(/pool "bad" .* overlaps pool "default-ipv4-ippool" .*: no address is taken from it/, {
        ready: true,
      });
      await isMarked("bad", /^Allocatable False CIDROverlap: .* overlaps pool "default-ipv4-ippool"/);
      await isMarked(DEFAULT_POOL, /^Allocatable True OK: /);
      await addsContainers();
    });
  });

  it("says that a pool is disabled", async () => {
    await withPool({ cidr: "10.9.0.0/16", disabled: true }, async () => {
      await isMarked("bad", /^Allocatable False PoolDisabled: spec\.disabled is true$/);
    });
  });

  it("says that an MTU is none, and keeps the one before", async () => {
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: 50 } });
    await isTold(/felixconfigurations\/default": spec\.vxlanMTU: want 0, or 68 to 65535/, { ready: true });
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: null } });
  });

  it("says that tunnels are larger than the underlay, or too small for IPv4", async () => {
    await setMode(lab, { vxlanMode: "Always" });
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: 1500 } });
    await isTold(/packets of vxlanMTU 1500 do not fit: the underlay's 1500 octets leave room for 1450/, {
      ready: true,
    });
    await patch(lab, FELIX_KEY, { spec: { vxlanMTU: null } });
    await lab.exec("host1", "ip", "link", "set", "eth0", "mtu", "600");
    await isTold(/550 octets for vxlan are too few, IPv4 wants 576/, { ready: true });
    await lab.exec("host1", "ip", "link", "set", "eth0", "mtu", "1500");
    await setMode(lab, {});
  });

  it("says that the VXLAN port is taken, sends packets as they are, and has the tunnel once it is free", async () => {
    await eventually(async () => !(await hasDevice()), "the end of the device before");
    const holder = lab.start("host1", process.execPath, "-e", TAKE_PORT);
    try {
      await once(holder.stdout ?? assert.fail(), "data");
      await setMode(lab, { vxlanMode: "Always" });
      await isTold(/vxlan\.calico: Cannot create .* on UDP port 4789: address already in use/i, {
        ready: false,
      });
      await addsContainers();
    } finally {
      holder.kill();
      await once(holder, "close");
    }
    await eventually(async () => (await told()).ready && (await hasDevice()), "the tunnel");
    await setMode(lab, {});
  });

  it("says that no pool has addresses for tunnels", async () => {
    await eventually(async () => !(await hasDevice()), "the end of the device before");
    await patch(lab, resourceKey("IPPool", DEFAULT_POOL), { spec: { allowedUses: ["Workload"] } });
    await setMode(lab, { vxlanMode: "Always" });
    await isTold(/VXLAN: no enabled IPPool that uses VXLAN has "Tunnel" among its allowedUses/, {
      ready: false,
    });
    await setMode(lab, {});
    await patch(lab, resourceKey("IPPool", DEFAULT_POOL), { spec: { allowedUses: null } });
  });

  it("says that addresses for tunnels are used up", async () => {
    const all = {
      kind: "IPReservation",
      metadata: { name: "all" },
      spec: { reservedCIDRs: ["10.1.0.0/16"] },
    };
    await withStored(resourceKey("IPReservation", "all"), all, async () => {
      await setMode(lab, { vxlanMode: "Always" });
      await isTold(/VXLAN: .*"default-ipv4-ippool".*: every address is taken or reserved/, { ready: false });
      await setMode(lab, {});
    });
  });

  async function hasDevice(): Promise<boolean> {
    return (await lab.exec("host1", "ip", "-br", "link", "show", "type", "vxlan")) !== "";
  }
});
