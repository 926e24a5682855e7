// SPDX-License-Identifier: Apache-2.0
// What is in a WireGuard device tells of no changes: the audit finds them. By wireguard-go, whatever the kernel has.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createDataplane } from "../../src/dataplane/dataplane.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { deleteLink, setLink } from "../../src/dataplane/netlink/link.ts";
import type { WireguardChange } from "../../src/dataplane/netlink/wireguard-change.ts";
import type { WireguardDriver } from "../../src/dataplane/wireguard/driver.ts";
import { generatePrivateKey, publicKeyOf } from "../../src/dataplane/wireguard/key-pair.ts";
import { createUserspaceDriver } from "../../src/dataplane/wireguard/userspace-driver.ts";
import { Calculation } from "../../src/desired/calculation.ts";
import { DEFAULT_SETTINGS, type Fact } from "../../src/desired/facts.ts";
import { WIREGUARD_DEVICE } from "../../src/desired/wanted.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { parseIp } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { systemClock } from "../../src/system/clock.ts";
import { type ProcessRunner, systemProcesses } from "../../src/system/process.ts";
import { eventuallyEqual } from "./harness.ts";
import { openKernel } from "./kernel-harness.ts";
import { createNamespace, succeed } from "./netlink-harness.ts";

const PRIVATE_KEY = generatePrivateKey();
const OWN = publicKeyOf(PRIVATE_KEY);
const [PEER, STRANGER] = [publicKeyOf(generatePrivateKey()), publicKeyOf(generatePrivateKey())];
const BLOCK = parseCidr("10.1.2.0/26");
const ELSEWHERE = parseCidr("10.9.0.0/16");

function node(name: string, address: string, publicKey: typeof OWN): Fact {
  const value = {
    address: parseIpv4(address),
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "datastore",
    wireguard: { publicKey, ip: undefined },
  } as const;
  return { kind: "node", name, value };
}

const FACTS: readonly Fact[] = [
  node("host1", "192.168.0.101", OWN),
  node("host2", "192.168.0.102", PEER),
  { kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore", wireguardEnabled: true } },
  { kind: "block", cidr: BLOCK, value: { cidr: BLOCK, node: "host2", strays: [] } },
  { kind: "affinity", node: "host2", cidr: BLOCK, value: true },
  { kind: "wireguardEnd", value: { ip: parseIpv4("10.1.1.1"), publicKey: OWN } },
  { kind: "underlay", mtu: 1500 },
];

describe("the audit of a WireGuard device", () => {
  const stack = new AsyncDisposableStack();
  let driver: WireguardDriver | undefined;
  before(async () => {
    const state = mkdtempSync(join(tmpdir(), "mwg-"));
    stack.defer(() => {
      rmSync(state, { recursive: true });
    });
    const { name } = stack.use(createNamespace());
    const processes: ProcessRunner = {
      run: (command, args, options) =>
        systemProcesses.run("ip", ["netns", "exec", name, command, ...args], options),
    };
    const kernel = openKernel(stack, name, {
      wireguard: ({ rtnetlink }) => ({
        driver: createUserspaceDriver(
          { rtnetlink, processes, clock: systemClock },
          { directory: join(state, "wireguard") },
        ),
        privateKey: () => Promise.resolve(PRIVATE_KEY),
      }),
    });
    const { rtnetlink } = kernel;
    ({ driver } = kernel.wireguard);
    stack.defer(async () => {
      await rtnetlink.execute([deleteLink({ name: WIREGUARD_DEVICE })]);
    });
    const eth0 = parseIfName("eth0");
    await succeed(
      rtnetlink,
      createVeth({ name: eth0, peer: { name: parseIfName("lan") } }),
      setLink({ name: eth0, up: true }),
    );
    const dataplane = stack.use(createDataplane(kernel, { auditIntervalMs: 200 }));
    dataplane.update(new Calculation("host1").update(FACTS));
    await dataplane.start();
    await eventuallyEqual(stateOf, WHOLE);
  });
  after(async () => {
    await stack.disposeAsync();
  });

  const WHOLE = JSON.stringify([
    OWN,
    51820,
    0x100000,
    [[PEER, { ip: "192.168.0.102", port: 51820 }, 0, [BLOCK, "192.168.0.102/32"]]],
  ]);

  const theDriver = (): WireguardDriver => driver ?? assert.fail("no driver");

  /** The device and its peers, without counters. */
  async function stateOf(): Promise<string> {
    // As it starts, it does not answer yet.
    const device = await theDriver()
      .get(WIREGUARD_DEVICE)
      .catch(() => undefined);
    const peers = device?.peers.map(({ publicKey, endpoint, keepaliveSec, allowedIps }) => [
      publicKey,
      endpoint,
      keepaliveSec,
      allowedIps.toSorted(),
    ]);
    return JSON.stringify([device?.publicKey, device?.listenPort, device?.fwmark, peers]);
  }

  const endpoint = { ip: parseIp("192.168.0.200"), port: 7 };
  const damages: Readonly<Record<string, WireguardChange>> = {
    "another private key": { privateKey: generatePrivateKey() },
    "another port": { listenPort: 7 },
    "no mark": { fwmark: 0 },
    "no peer": { replacePeers: true },
    "a stranger among its peers": { peers: [{ kind: "set", publicKey: STRANGER, allowedIps: [ELSEWHERE] }] },
    "an address taken by a stranger": { peers: [{ kind: "set", publicKey: STRANGER, allowedIps: [BLOCK] }] },
    "a peer with an address too many": { peers: [{ kind: "set", publicKey: PEER, allowedIps: [ELSEWHERE] }] },
    "a peer without addresses": { peers: [{ kind: "set", publicKey: PEER, replaceAllowedIps: true }] },
    "a peer elsewhere": { peers: [{ kind: "set", publicKey: PEER, endpoint }] },
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`sets it right that has ${what}`, async () => {
      await theDriver().change(WIREGUARD_DEVICE, damage);
      await eventuallyEqual(stateOf, WHOLE);
    });
  }
});
