// SPDX-License-Identifier: Apache-2.0
// WireGuard by wireguard-go, which needs nothing of the kernel that is not everywhere. The kernel's own is tested in test/vm.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import type { Rtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import type { WireguardDriver } from "../../src/dataplane/wireguard/driver.ts";
import { generatePrivateKey } from "../../src/dataplane/wireguard/key-pair.ts";
import { createUserspaceDriver, linkNamed } from "../../src/dataplane/wireguard/userspace-driver.ts";
import { systemClock } from "../../src/system/clock.ts";
import { type ProcessRunner, systemProcesses } from "../../src/system/process.ts";
import { eventually } from "./harness.ts";
import type { Namespace } from "./netlink-harness.ts";
import { WG0, openNode, testWireguardDriver } from "./wireguard-driver-contract.ts";

function createDriver(
  namespace: Namespace,
  rtnetlink: Rtnetlink,
  stack: AsyncDisposableStack,
): WireguardDriver {
  const state = mkdtempSync(join(tmpdir(), "mwg-"));
  stack.defer(() => {
    rmSync(state, { recursive: true });
  });
  return driverIn(join(state, "wireguard"), namespace, rtnetlink);
}

function driverIn(directory: string, { name }: Namespace, rtnetlink: Rtnetlink): WireguardDriver {
  const processes: ProcessRunner = {
    run: (command, args, options) =>
      systemProcesses.run("ip", ["netns", "exec", name, command, ...args], options),
  };
  return createUserspaceDriver({ rtnetlink, processes, clock: systemClock }, { directory });
}

testWireguardDriver("wireguard-go", createDriver);

/** The process that has the device of a namespace. */
function findProcess({ netns }: Namespace): { pid: number; args: string } | undefined {
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const { dev, ino } = statSync(`/proc/${name}/ns/net`, { bigint: true });
      const args = readFileSync(`/proc/${name}/cmdline`, "utf8");
      if (`${dev}:${ino}` === netns.id && args.startsWith("wireguard-go")) return { pid: Number(name), args };
    } catch {
      // It ended meanwhile.
    }
  }
  return undefined;
}

it("wireguard-go serves whoever finds its socket, which only root can", async () => {
  const state = mkdtempSync(join(tmpdir(), "mwg-"));
  try {
    const directory = join(state, "wireguard");
    await using node = openNode((namespace, rtnetlink) => driverIn(directory, namespace, rtnetlink));
    await node.driver.create({ name: WG0, mtu: 1400 });
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    await driverIn(directory, node.namespace, node.rtnetlink).change(WG0, { fwmark: 7 });
    assert.equal((await node.driver.get(WG0))?.fwmark, 7);
  } finally {
    rmSync(state, { recursive: true });
  }
});

it("wireguard-go shows no key in its arguments, and leaves no link when it is killed", async () => {
  await using node = openNode(createDriver);
  await node.driver.create({ name: WG0, mtu: 1400 });
  const privateKey = generatePrivateKey();
  await node.driver.change(WG0, { privateKey });
  const found = findProcess(node.namespace) ?? assert.fail("no process");
  assert.equal(found.args, `wireguard-go\0${WG0}\0`);
  process.kill(found.pid, "SIGKILL");
  const isGone = async (): Promise<boolean> => (await linkNamed(node.rtnetlink, WG0)) === undefined;
  await eventually(isGone, "the link's end");
  await node.driver.create({ name: WG0, mtu: 1400 });
});

it("a device whose socket is not where it should be makes room for another", async () => {
  await using node = openNode(createDriver);
  await node.driver.create({ name: WG0, mtu: 1400 });
  const elsewhere = driverIn("/nonexistent", node.namespace, node.rtnetlink);
  await assert.rejects(elsewhere.get(WG0), { code: "ENOENT" });
  await assert.rejects(elsewhere.change(WG0, { fwmark: 1 }), { code: "ENOENT" });
  assert.equal(await node.driver.get(WG0), undefined);
  await eventually(() => Promise.resolve(findProcess(node.namespace) === undefined), "the process's end");
});
