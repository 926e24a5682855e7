// SPDX-License-Identifier: Apache-2.0
// Where the kernel is not as the agent wants it, of what rtnetlink does not tell of: tables of nftables, IPIP programs, WireGuard's peers.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { R0, assemble, exit, mov64 } from "../../src/dataplane/bpf/assembler.ts";
import { openIpipTunnel } from "../../src/dataplane/bpf/ipip-tunnel.ts";
import { loadProgram } from "../../src/dataplane/bpf/program.ts";
import { type Dataplane, createDataplane } from "../../src/dataplane/dataplane.ts";
import type { Kernel } from "../../src/dataplane/kernel.ts";
import { createVeth } from "../../src/dataplane/netlink/link-veth.ts";
import { deleteLink } from "../../src/dataplane/netlink/link.ts";
import { replaceBpfFilter } from "../../src/dataplane/netlink/traffic-control.ts";
import type { WireguardChange } from "../../src/dataplane/netlink/wireguard-change.ts";
import { generatePrivateKey, publicKeyOf } from "../../src/dataplane/wireguard/key-pair.ts";
import { createUserspaceDriver } from "../../src/dataplane/wireguard/userspace-driver.ts";
import { Calculation } from "../../src/desired/calculation.ts";
import { DEFAULT_SETTINGS, type Fact } from "../../src/desired/facts.ts";
import { WIREGUARD_DEVICE } from "../../src/desired/wanted.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { parseIp } from "../../src/net/ip.ts";
import { parseIpv4 } from "../../src/net/ipv4.ts";
import { parseMac } from "../../src/net/mac.ts";
import { systemClock } from "../../src/system/clock.ts";
import { type ProcessRunner, systemProcesses } from "../../src/system/process.ts";
import { eventually } from "./harness.ts";
import { type KernelOptions, openKernel } from "./kernel-harness.ts";
import { createNamespace, linkNamed, succeed } from "./netlink-harness.ts";
import { PATIENCE_MS } from "./patience.ts";

const NODE_END = parseIfName("cali0123456789a");
const UNDERLAY = parseIfName("eth0");
const CONTAINER = parseIpv4("10.1.1.2");
const OTHER = parseIpv4("192.168.0.102");
const BLOCK = parseCidr("10.1.2.0/26");
const POOL = parseCidr("10.1.0.0/16");
const PRIVATE_KEY = generatePrivateKey();
const OWN_KEY = publicKeyOf(PRIVATE_KEY);
const [PEER, STRANGER] = [publicKeyOf(generatePrivateKey()), publicKeyOf(generatePrivateKey())];

function nodeFact(name: string, address: string, more: object): Fact {
  const value = {
    address: parseIpv4(address),
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "datastore",
    ...more,
  } as const;
  return { kind: "node", name, value };
}

const SETTINGS = { ...DEFAULT_SETTINGS, routeSource: "datastore" } as const;
const FAR_BLOCK: readonly Fact[] = [
  { kind: "block", cidr: BLOCK, value: { cidr: BLOCK, node: "host2", strays: [] } },
  { kind: "affinity", node: "host2", cidr: BLOCK, value: true },
  { kind: "underlay", mtu: 1500 },
];

interface Node {
  readonly namespace: string;
  readonly kernel: Kernel;
  readonly dataplane: Dataplane;
  differences(): Promise<readonly string[]>;
}

/** `host1`, with an underlay and one node end; its dataplane has brought the kernel to what follows from the facts. */
async function createNode(
  stack: AsyncDisposableStack,
  facts: readonly Fact[],
  options: (namespace: string) => KernelOptions = () => ({}),
): Promise<Node> {
  const { name: namespace } = stack.use(createNamespace());
  const kernel = openKernel(stack, namespace, options(namespace));
  await succeed(
    kernel.rtnetlink,
    createVeth({ name: UNDERLAY, up: true, peer: { name: parseIfName("lan") } }),
    createVeth({ name: NODE_END, up: true, peer: { name: parseIfName("inside") } }),
  );
  for (const words of ["link set lo up", "link set lan up", "address add 192.168.0.101/24 dev eth0"])
    execFileSync("ip", ["-n", namespace, ...words.split(" ")]);
  // No audit: what nobody tells of stays as it is.
  const dataplane = stack.use(createDataplane(kernel, { auditIntervalMs: 2 ** 31 - 1 }));
  dataplane.update(new Calculation("host1").update(facts));
  await dataplane.start();
  await eventually(() => {
    const { isSettled, faults, blocked } = dataplane.status();
    return Promise.resolve(isSettled && faults.length === 0 && blocked.length === 0);
  }, "a settled dataplane");
  return { namespace, kernel, dataplane, differences: () => differencesOf(dataplane) };
}

/** `<kind> <state> <key>: <what>` */
async function differencesOf(dataplane: Dataplane): Promise<readonly string[]> {
  const { differences, unseen } = await dataplane.differences({ signal: AbortSignal.timeout(PATIENCE_MS) });
  return [
    ...differences.map(({ kind, key, state, what }) => `${kind} ${state} ${key}: ${what}`),
    ...unseen.map(({ kind, reason }) => `${kind} unseen: ${reason}`),
  ];
}

describe("tables of nftables", () => {
  const VXLAN = { kind: "vxlan", crossSubnet: false } as const;
  const FACTS: readonly Fact[] = [
    nodeFact("host1", "192.168.0.101", {}),
    nodeFact("host2", OTHER, { vxlan: { ip: parseIpv4("10.1.2.1"), mac: parseMac("66:00:00:00:00:02") } }),
    { kind: "settings", value: SETTINGS },
    {
      kind: "pool",
      name: "pool",
      value: { cidr: POOL, encapsulation: VXLAN, disableBgpExport: false, natOutgoing: true },
    },
    { kind: "vxlanEnd", value: { ip: parseIpv4("10.1.1.1"), mac: parseMac("66:00:00:00:00:01") } },
    ...FAR_BLOCK,
    {
      kind: "endpoint",
      name: "a",
      value: { ifName: NODE_END, mac: parseMac("02:00:00:00:00:01"), ips: [CONTAINER] },
    },
  ];

  /** What somebody else does, and what is told of it while nobody repairs it. */
  const damages: Readonly<Record<string, { readonly nft: string; readonly told: readonly string[] }>> = {
    "a check of source addresses that is gone": {
      nft: "delete table inet margay-source",
      told: ["source missing source check: make the check of source addresses"],
    },
    "a guard that is gone": {
      nft: "delete table ip margay",
      told: ["guard missing guard: make the guard of tunnels"],
    },
    "a translation with a rule too many": {
      nft: "insert rule inet margay-nat outgoing accept",
      told: ["nat wrong nat: make the outgoing translation"],
    },
    "a check without the container's address, and with another": {
      nft: `flush set inet margay-source own4; add element inet margay-source own4 { "${NODE_END}" . 10.9.9.9 }`,
      told: [
        `source missing source ${NODE_END} . ${CONTAINER}: add ${NODE_END} . ${CONTAINER} to "own4" of the check of source addresses`,
        `source foreign source ${NODE_END} . 10.9.9.9: remove ${NODE_END} . 10.9.9.9 from "own4" of the check of source addresses`,
      ],
    },
    "a translation of what goes to other nodes' containers": {
      nft: `delete element inet margay-nat pools4 { ${POOL} }`,
      told: [`nat missing nat pool ${POOL}: add ${POOL} to "pools4" of the outgoing translation`],
    },
  };

  it("are told where somebody has damaged them, and changed by nobody who looks", async (t) => {
    await using stack = new AsyncDisposableStack();
    const node = await createNode(stack, FACTS);
    assert.deepEqual(await node.differences(), []);
    await node.dataplane[Symbol.asyncDispose]();
    const nft = (text: string): string =>
      execFileSync("ip", ["netns", "exec", node.namespace, "nft", text], { encoding: "utf8" });
    const whole = nft("list ruleset");
    for (const [what, { nft: damage, told }] of Object.entries(damages))
      await t.test(what, async () => {
        nft(damage);
        const damaged = nft("list ruleset");
        assert.deepEqual(await node.differences(), told);
        assert.equal(nft("list ruleset"), damaged);
        execFileSync("ip", ["netns", "exec", node.namespace, "nft", "-f", "-"], {
          input: `flush ruleset\n${whole}`,
        });
        assert.deepEqual(await node.differences(), []);
      });
  });

  it("cannot be told without nft, while all else can", async () => {
    await using stack = new AsyncDisposableStack();
    const { namespace, dataplane } = await createNode(stack, FACTS);
    await dataplane[Symbol.asyncDispose]();
    const blind = openKernel(stack, namespace, { nftCommand: ["margay-no-such-program"] });
    const other = stack.use(createDataplane(blind));
    other.update(new Calculation("host1").update(FACTS));
    execFileSync("ip", ["-n", namespace, "route", "del", "10.1.1.2"]);
    const told = await differencesOf(other);
    assert.match(told[0] ?? "", /^route missing 10\.1\.1\.2\/32 metric 0: /);
    assert.match(told[1] ?? "", /^guard unseen: .*margay-no-such-program/);
    assert.deepEqual(
      told.slice(1).map((line) => line.split(" ")[0]),
      ["guard", "source", "nat"],
    );
  });
});

describe("IPIP by programs", () => {
  const FACTS: readonly Fact[] = [
    nodeFact("host1", "192.168.0.101", { ipip: parseIpv4("10.1.1.1") }),
    nodeFact("host2", OTHER, { ipip: parseIpv4("10.1.2.1") }),
    { kind: "settings", value: SETTINGS },
    {
      kind: "pool",
      name: "pool",
      value: { cidr: POOL, encapsulation: { kind: "ipip", crossSubnet: false }, disableBgpExport: false },
    },
    { kind: "ipipEnd", value: { ip: parseIpv4("10.1.1.1"), driver: "bpf" } },
    ...FAR_BLOCK,
  ];

  it("is told where others have been put in their place, or what they go by is another", async () => {
    await using stack = new AsyncDisposableStack();
    const node = await createNode(stack, FACTS);
    assert.deepEqual(await node.differences(), []);
    const { rtnetlink } = node.kernel;
    const { index: ifIndex } = await linkNamed(rtnetlink, UNDERLAY);
    {
      using tunnel = await openIpipTunnel({ rtnetlink, ifIndex });
      tunnel.deleteBlock(BLOCK);
      tunnel.addNode(parseIpv4("192.168.0.66"));
    }
    assert.deepEqual(await node.differences(), [
      `ipip missing block ${BLOCK}: send ${BLOCK} inside IPIP to ${OTHER}`,
      "ipip foreign node 192.168.0.66: take node 192.168.0.66 out of IPIP",
    ]);
    // Ours by its place, and another's by its name: the dataplane leaves it there.
    using program = loadProgram("other", assemble([mov64(R0, 0), exit()], {}));
    const { name, fd: programFd } = program;
    const place = { ifIndex, priority: 80, handle: 1, name, programFd };
    await succeed(rtnetlink, replaceBpfFilter({ ...place, direction: "ingress" }));
    const programs = `programs: attach IPIP to link ${ifIndex}`;
    assert.deepEqual(await node.differences(), [`ipip wrong ${programs}`]);
    await succeed(rtnetlink, replaceBpfFilter({ ...place, direction: "egress" }));
    assert.deepEqual(await node.differences(), [`ipip missing ${programs}`]);
  });
});

describe("WireGuard by wireguard-go", () => {
  const FACTS: readonly Fact[] = [
    nodeFact("host1", "192.168.0.101", { wireguard: { publicKey: OWN_KEY, ip: undefined } }),
    nodeFact("host2", OTHER, { wireguard: { publicKey: PEER, ip: undefined } }),
    { kind: "settings", value: { ...SETTINGS, wireguardEnabled: true } },
    { kind: "wireguardEnd", value: { ip: parseIpv4("10.1.1.1"), publicKey: OWN_KEY } },
    ...FAR_BLOCK,
  ];
  const ELSEWHERE = parseCidr("10.9.0.0/16");
  const [peer, device] = [`${PEER} dev ${WIREGUARD_DEVICE}`, `keys and port of ${WIREGUARD_DEVICE}`];
  const damages: Readonly<
    Record<string, { readonly change: WireguardChange; readonly told: readonly string[] }>
  > = {
    "a peer that is gone, and a stranger": {
      change: {
        peers: [
          { kind: "remove", publicKey: PEER },
          { kind: "set", publicKey: STRANGER },
        ],
      },
      told: [
        `peer missing ${peer}: add WireGuard peer "${PEER}" at ${OTHER} port 51820`,
        `peer foreign ${STRANGER} dev ${WIREGUARD_DEVICE}: remove WireGuard peer "${STRANGER}"`,
      ],
    },
    "a peer that is elsewhere": {
      change: {
        peers: [{ kind: "set", publicKey: PEER, endpoint: { ip: parseIp("192.168.0.200"), port: 7 } }],
      },
      told: [
        `peer wrong ${peer}: set WireGuard peer "${PEER}": move it from 192.168.0.200 port 7 to ${OTHER} port 51820`,
      ],
    },
    "a peer with other addresses": {
      change: {
        peers: [{ kind: "set", publicKey: PEER, replaceAllowedIps: true, allowedIps: [ELSEWHERE] }],
      },
      told: [
        `peer wrong ${peer}: set WireGuard peer "${PEER}": give it ${BLOCK}, ${OTHER}/32; take from it ${ELSEWHERE}`,
      ],
    },
    "another key and port": {
      change: { privateKey: generatePrivateKey(), listenPort: 7 },
      told: [`wireguard wrong ${device}: set up WireGuard device "${WIREGUARD_DEVICE}"`],
    },
  };

  it("is told where somebody has changed it, without its private key", async (t) => {
    await using stack = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), "mdf-"));
    stack.defer(() => {
      rmSync(directory, { recursive: true });
    });
    const node = await createNode(stack, FACTS, (namespace) => {
      const processes: ProcessRunner = {
        run: (command, args, options) =>
          systemProcesses.run("ip", ["netns", "exec", namespace, command, ...args], options),
      };
      return {
        wireguard: ({ rtnetlink }) => ({
          driver: createUserspaceDriver({ rtnetlink, processes, clock: systemClock }, { directory }),
          privateKey: () => Promise.resolve(PRIVATE_KEY),
        }),
      };
    });
    const { driver } = node.kernel.wireguard;
    stack.defer(async () => {
      await node.kernel.rtnetlink.execute([deleteLink({ name: WIREGUARD_DEVICE })]);
    });
    assert.deepEqual(await node.differences(), []);
    const whole = (await driver.get(WIREGUARD_DEVICE)) ?? assert.fail("no device");
    const repair: WireguardChange = {
      privateKey: PRIVATE_KEY,
      listenPort: whole.listenPort,
      replacePeers: true,
      peers: whole.peers.map(({ publicKey, allowedIps, endpoint }) => ({
        kind: "set",
        publicKey,
        allowedIps,
        ...(endpoint && { endpoint }),
      })),
    };
    const secrets = [PRIVATE_KEY].flatMap((key) =>
      (["hex", "base64"] as const).map((form) => Buffer.from(key).toString(form)),
    );
    for (const [what, { change, told }] of Object.entries(damages))
      await t.test(what, async () => {
        await driver.change(WIREGUARD_DEVICE, change);
        const found = await node.differences();
        assert.deepEqual(found, told);
        for (const secret of secrets) assert.ok(!found.join("\n").includes(secret));
        await driver.change(WIREGUARD_DEVICE, repair);
        assert.deepEqual(await node.differences(), []);
      });
  });
});
