// SPDX-License-Identifier: Apache-2.0
// WireGuard on labs, by the kernel's device or wireguard-go: what can be read on the wire, what goes on while it changes, and what is repaired.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import {
  damage,
  type Lab,
  MARGAY,
  agentStatus,
  createLab,
  eventually,
  eventuallyEqual,
  execute,
  killAgent,
  lossDuring,
  readStore,
  succeed,
} from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { eavesdrop, patch, setMode } from "./tunnel-harness.ts";

const TOPOLOGY = new URL("three-hosts-wireguard.yaml", import.meta.url).pathname;
const RESOURCES = "/calico/resources/v3/projectcalico.org";
/** What every packet of a stream says. */
const MARKER = "of this stream";

async function configure(lab: Lab, spec: object): Promise<void> {
  await patch(lab, `${RESOURCES}/felixconfigurations/default`, { spec });
}

function keyFile(lab: Lab, host: string): string {
  return `/run/margay/lab/${lab.name}/${host}/wireguard.key`;
}

async function publicKeyOf(lab: Lab, host: string): Promise<string | undefined> {
  const text = (await readStore(lab, `${RESOURCES}/nodes/`)).get(`${RESOURCES}/nodes/${host}`);
  const node = JSON.parse(text ?? assert.fail(host)) as { status?: { wireguardPublicKey?: string } };
  return node.status?.wireguardPublicKey;
}

/** Whether the host sends what is for the container through WireGuard. */
async function isEncrypted(lab: Lab, host: string, container: string): Promise<boolean> {
  const route = await lab.exec(host, "ip", "route", "get", await lab.address(container));
  return route.includes("dev wireguard.cali table 1");
}

async function encryptedBetween(lab: Lab, wanted: boolean): Promise<void> {
  const ways = [
    ["host1", "b"],
    ["host2", "a"],
  ] as const;
  const isSo = async (): Promise<boolean> =>
    (await Promise.all(ways.map(([host, container]) => isEncrypted(lab, host, container)))).every(
      (found) => found === wanted,
    );
  await eventually(isSo, wanted ? "encryption" : "its end");
}

/** What the host has of WireGuard, as text that does not depend on order and index. */
async function stateOf(lab: Lab, host: string): Promise<string> {
  const parts = [
    ["ip", "-br", "addr", "show", "wireguard.cali"],
    ["ip", "link", "show", "wireguard.cali"],
    ["ip", "rule"],
    ["ip", "route", "show", "table", "1"],
  ].map((command) => lab.exec(host, ...command).catch(() => "absent"));
  const text = (await Promise.all(parts)).join("\n").replaceAll(/^\d+: | *fe80::\S+/gm, "");
  return text.split("\n").sort().join("\n");
}

/** Waits until the host has nothing of WireGuard any more. */
async function untilGone(lab: Lab, host: string): Promise<void> {
  await eventually(
    async () => !/wireguard|^99:|proto 80/m.test(await stateOf(lab, host)),
    `its end on ${host}`,
  );
}

async function ping(lab: Lab, from: string, to: string): Promise<void> {
  await lab.exec(from, ...PING_ONCE, await lab.address(to));
}

async function deviceIndex(lab: Lab, host: string): Promise<string | undefined> {
  const { stdout } = await execute("ip", [
    "-n",
    `margay-${lab.name}-${host}`,
    "-o",
    "link",
    "show",
    "wireguard.cali",
  ]);
  return /^\d+/.exec(stdout)?.[0];
}

/** Ends the process that stands for the kernel's device. */
async function killUserspace(lab: Lab, host: string): Promise<void> {
  const { netns } = await lab.host(host);
  const { ino } = statSync(`/run/netns/${netns}`);
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const isHere = statSync(`/proc/${pid}/ns/net`).ino === ino;
      if (isHere && readFileSync(`/proc/${pid}/comm`, "utf8") === "wireguard-go\n")
        process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`WireGuard, routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ topology: TOPOLOGY, routeSource });
      await configure(lab, { wireguardEnabled: false });
      for (const host of ["host1", "host2", "host3"]) await untilGone(lab, host);
      // Nobody but its owner may read a key: this node has none that it could use.
      chmodSync(keyFile(lab, "host3"), 0o644);
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    it("is off at first, and what containers send can be read", async () => {
      assert.ok((await eavesdrop(lab, "host1", "a", "b")).includes(MARKER));
    });

    it("is turned on while packets flow, and none is lost", async () => {
      const { lost, sent } = await lossDuring(lab, "a", await lab.address("b"), async () => {
        await configure(lab, { wireguardEnabled: true });
        await encryptedBetween(lab, true);
      });
      assert.equal(lost, 0, `of ${sent}`);
    });

    it("leaves nothing to read on the wire", async () => {
      const seen = await eavesdrop(lab, "host1", "a", "b");
      assert.match(seen, /192\.168\.0\.101\.51820 > 192\.168\.0\.102\.51820: UDP/);
      assert.ok(!seen.includes(MARKER));
      assert.ok(!seen.includes(`${await lab.address("a")}.`));
    });

    it("leaves a node without a key out, which says so, and whom everyone reaches", async () => {
      await eventually(async () => {
        const { reasons } = await agentStatus(lab, "host3");
        return reasons.some((reason) =>
          /WireGuard: Cannot use WireGuard key ".*": its mode is 644/.test(reason),
        );
      }, "the reason");
      assert.equal(await publicKeyOf(lab, "host3"), undefined);
      await eventuallyEqual(
        async () => (await agentStatus(lab, "host1")).degraded.join("; "),
        'wireguard: packets are not encrypted: node "host3" has no WireGuard key',
      );
      assert.deepEqual(
        [await isEncrypted(lab, "host1", "c"), await isEncrypted(lab, "host3", "a")],
        [false, false],
      );
      await ping(lab, "a", "c");
      const report = JSON.parse(await lab.margay("check", "--json")) as { ok: boolean };
      assert.equal(report.ok, true, JSON.stringify(report));
    });

    it("has hosts reach containers, and containers reach hosts", async () => {
      await ping(lab, "host1", "b");
      for (const address of ["192.168.0.102", "192.168.0.103"]) await lab.exec("a", ...PING_ONCE, address);
    });

    it("takes the node in once its key is right", async () => {
      rmSync(keyFile(lab, "host3"));
      await eventually(
        async () => (await isEncrypted(lab, "host1", "c")) && (await isEncrypted(lab, "host3", "a")),
        "encryption with host3",
      );
      await ping(lab, "a", "c");
      assert.equal(statSync(keyFile(lab, "host3")).mode & 0o777, 0o600);
    });

    it("tells no private key to the datastore, the log, the status or the list of processes", async () => {
      const secrets = ["host1", "host2"].flatMap((host) => {
        const text = readFileSync(keyFile(lab, host), "utf8").trim();
        return [text, Buffer.from(text, "base64").toString("hex")];
      });
      const places = [
        JSON.stringify([...(await readStore(lab))]),
        ...["host1", "host2"].map((host) =>
          readFileSync(`/run/margay/lab/${lab.name}/${host}/agent.log`, "utf8"),
        ),
        JSON.stringify(await agentStatus(lab, "host1")),
        await succeed("ps", ["-eww", "-o", "args"]),
      ];
      for (const secret of secrets) for (const place of places) assert.ok(!place.includes(secret));
    });

    it("goes on while an agent is dead, and when it is back, with the same key", async () => {
      const [whole, key] = [await stateOf(lab, "host1"), await publicKeyOf(lab, "host1")];
      const { lost, sent } = await lossDuring(lab, "a", await lab.address("b"), async () => {
        await killAgent(lab, "host1");
        await ping(lab, "b", "a");
        await lab.repair();
        await eventuallyEqual(() => stateOf(lab, "host1"), whole);
      });
      assert.equal(lost, 0, `of ${sent}`);
      assert.equal(await publicKeyOf(lab, "host1"), key);
    });

    for (const [what, ...command] of [
      ["the device deleted", "ip", "link", "del", "wireguard.cali"],
      ["it set down", "ip", "link", "set", "wireguard.cali", "down"],
      ["its address removed", "ip", "addr", "flush", "dev", "wireguard.cali"],
      ["its MTU changed", "ip", "link", "set", "wireguard.cali", "mtu", "1300"],
      ["the rule removed", "ip", "rule", "del", "priority", "99"],
      ["the routes removed", "ip", "route", "flush", "table", "1"],
    ] as const) {
      it(`repairs ${what}`, async () => {
        const whole = await stateOf(lab, "host1");
        await damage(lab, "host1", command);
        await eventuallyEqual(() => stateOf(lab, "host1"), whole);
        await ping(lab, "a", "b");
        await ping(lab, "b", "a");
      });
    }

    it("starts again a process that stands for the device, and was killed", async () => {
      const whole = await stateOf(lab, "host1");
      const before = await deviceIndex(lab, "host1");
      await killUserspace(lab, "host1");
      // A process that was killed takes a moment to end, and its device goes on until then.
      await eventually(
        async () => ![undefined, before].includes(await deviceIndex(lab, "host1")),
        "another device",
      );
      await eventuallyEqual(() => stateOf(lab, "host1"), whole);
      await ping(lab, "a", "b");
    });

    it("changes a node's key while packets flow in both directions, and none is lost", async () => {
      const before = await publicKeyOf(lab, "host1");
      const [a, b] = [await lab.address("a"), await lab.address("b")];
      const rotate = async (): Promise<void> => {
        const said = await succeed(MARGAY, [
          "node",
          "rotate-keys",
          "--json",
          "--socket",
          lab.agentSocket("host1"),
        ]);
        const { publicKey } = JSON.parse(said) as { publicKey: string };
        assert.equal(await publicKeyOf(lab, "host1"), publicKey);
        assert.notEqual(publicKey, before);
      };
      const there = await lossDuring(lab, "a", b, async () => {
        const back = await lossDuring(lab, "b", a, async () => {
          await rotate();
          await Promise.all([ping(lab, "a", "b"), ping(lab, "b", "a")]);
        });
        assert.equal(back.lost, 0, `of ${back.sent} from b to a`);
      });
      assert.equal(there.lost, 0, `of ${there.sent} from a to b`);
    });

    it("encrypts all the same while the pool's mode changes, and loses nothing", async () => {
      const hasDevice = async (): Promise<boolean> =>
        (await execute("ip", ["-n", `margay-${lab.name}-host1`, "link", "show", "vxlan.calico"])).code === 0;
      const { lost, sent } = await lossDuring(lab, "a", await lab.address("b"), async () => {
        for (const [mode, isThere] of [
          [{ vxlanMode: "Always" }, true],
          [{}, false],
        ] as const) {
          await setMode(lab, mode, "default");
          await eventually(async () => (await hasDevice()) === isThere, `VXLAN, or its end: ${isThere}`);
          await encryptedBetween(lab, true);
          assert.ok(!(await eavesdrop(lab, "host1", "a", "b")).includes(MARKER));
        }
      });
      assert.equal(lost, 0, `of ${sent}`);
    });

    it("hears nothing that a stranger sends to its port", async () => {
      const received = async (): Promise<number> => {
        const [link] = JSON.parse(
          await lab.exec("host1", "ip", "-s", "-j", "link", "show", "wireguard.cali"),
        ) as [{ stats64: { rx: { packets: number } } }];
        return link.stats64.rx.packets;
      };
      const before = await received();
      // Type 1 begins a handshake, of 148 octets; type 2 answers one, of 92; type 4 is data.
      const forge = `const socket = require("node:dgram").createSocket("udp4");
        const send = (type, size) => new Promise((resolve) =>
          socket.send(Buffer.alloc(size, 7).fill(type, 0, 1).fill(0, 1, 4), 51820, "192.168.0.101", resolve));
        (async () => {
          for (let round = 0; round < 20; round++)
            for (const [type, size] of [[1, 148], [2, 92], [3, 64], [4, 128], [4, 32], [9, 5]]) await send(type, size);
          socket.close();
        })();`;
      await lab.exec("host3", process.execPath, "-e", forge);
      assert.equal(await received(), before);
      await ping(lab, "a", "b");
      assert.equal(await received(), before + 1);
    });

    it("goes on without the node whose port is taken, which says so, and with it once it is free", async () => {
      const hold = `require("node:dgram").createSocket("udp4").bind(51999, () => console.log("taken"))`;
      const holder = lab.start("host2", process.execPath, "-e", hold);
      await once(holder.stdout ?? assert.fail(), "data");
      try {
        await configure(lab, { wireguardListeningPort: 51999 });
        await eventually(async () => {
          const { reasons } = await agentStatus(lab, "host2");
          return reasons.some((reason) =>
            /Cannot use UDP port 51999 for WireGuard: .*\(EADDRINUSE\)/.test(reason),
          );
        }, "the reason");
        await encryptedBetween(lab, false);
        await ping(lab, "a", "b");
        await ping(lab, "b", "c");
        await eventually(() => isEncrypted(lab, "host1", "c"), "encryption with host3");
        await ping(lab, "a", "c");
      } finally {
        holder.kill();
        await once(holder, "close");
      }
      await encryptedBetween(lab, true);
      await ping(lab, "a", "b");
    });

    it("is turned off while packets flow, loses none, and leaves nothing but the key", async () => {
      const { lost, sent } = await lossDuring(lab, "a", await lab.address("b"), async () => {
        await configure(lab, { wireguardEnabled: false });
        await encryptedBetween(lab, false);
        for (const host of ["host1", "host2", "host3"]) await untilGone(lab, host);
      });
      assert.equal(lost, 0, `of ${sent}`);
      assert.equal(await publicKeyOf(lab, "host1"), undefined);
      assert.ok((await eavesdrop(lab, "host1", "a", "b")).includes(MARKER));
      const { code, stderr } = await execute(MARGAY, [
        "node",
        "rotate-keys",
        "--socket",
        lab.agentSocket("host1"),
      ]);
      assert.equal(code, 1);
      assert.match(stderr, /^margay: Cannot rotate the keys of node "host1": WireGuard is not enabled\n$/);
    });

    it("takes the key that is there when it is turned on again", async () => {
      const before = readFileSync(keyFile(lab, "host1"), "utf8");
      await configure(lab, { wireguardEnabled: true });
      await encryptedBetween(lab, true);
      assert.equal(readFileSync(keyFile(lab, "host1"), "utf8"), before);
      await ping(lab, "a", "b");
    });
  });
}
