// SPDX-License-Identifier: Apache-2.0
// Two nodes on one underlay with a container each, whose dataplanes run in the test's own process: far cheaper than a lab, on an emulated
// machine above all. What they know, the test tells them.
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createDataplane } from "../../src/dataplane/dataplane.ts";
import { Calculation } from "../../src/desired/calculation.ts";
import {
  DEFAULT_SETTINGS,
  type Encapsulation,
  type Fact,
  type NodeFacts,
  type Settings,
} from "../../src/desired/facts.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { type Ipv4, parseIpv4 } from "../../src/net/ipv4.ts";
import { parseMac } from "../../src/net/mac.ts";
import { eventually, succeed } from "./harness.ts";
import { type KernelOptions, openKernel } from "./kernel-harness.ts";

const NODE_END = parseIfName("cali0123456789a");
const NODE_END_MAC = "ee:ee:ee:ee:ee:ee";
const GATEWAY = "169.254.1.1";

export interface PairedNode {
  readonly number: 1 | 2;
  /** On the underlay. */
  readonly address: Ipv4;
  /** Inside tunnels. */
  readonly tunnelIp: Ipv4;
  readonly containerIp: Ipv4;
  /** Names of namespaces. */
  readonly host: string;
  readonly container: string;
  /** Tells this node, and no other. */
  learn(...facts: readonly Fact[]): void;
  settled(): Promise<void>;
  /** Runs a command on the node; it has to succeed. */
  run(...command: readonly string[]): Promise<string>;
  /** Runs a command in its container; it has to succeed. */
  runInside(...command: readonly string[]): Promise<string>;
  /** Starts a command in its container. */
  startInside(...command: readonly string[]): ChildProcess;
}

export interface NodePair {
  readonly nodes: readonly [PairedNode, PairedNode];
  /** Tells both. */
  learn(...facts: readonly Fact[]): void;
  settled(): Promise<void>;
}

export interface NodePairOptions {
  /** How packets between the containers are to travel. @default as they are */
  readonly encapsulation?: Encapsulation;
  readonly settings?: Partial<Settings>;
  readonly kernel?: (node: Pick<PairedNode, "number" | "host">) => KernelOptions;
}

/** So that nothing is found by the audit. */
const NEVER_MS = 2 ** 31 - 1;

let count = 0;

/** `stack` takes them away. They know of each other's addresses, blocks and containers, and nothing of tunnels. */
export async function createNodePair(
  stack: AsyncDisposableStack,
  { encapsulation = { kind: "none" }, settings = {}, kernel = () => ({}) }: NodePairOptions = {},
): Promise<NodePair> {
  const prefix = `mnp${process.pid}n${++count}`;
  const cluster: readonly Fact[] = [
    { kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore", ...settings } },
    {
      kind: "pool",
      name: "default",
      value: { cidr: parseCidr("10.1.0.0/16"), encapsulation, disableBgpExport: false },
    },
    { kind: "underlay", mtu: 1500 },
    ...([1, 2] as const).flatMap((number): readonly Fact[] => {
      const [cidr, node] = [blockOf(number), nameOf(number)];
      return [
        nodeFact(number),
        { kind: "block", cidr, value: { cidr, node, strays: [] } },
        { kind: "affinity", node, cidr, value: true },
      ];
    }),
  ];
  const names = ([1, 2] as const).map((number) => ({
    number,
    host: addNamespace(stack, `${prefix}h${number}`),
    container: addNamespace(stack, `${prefix}c${number}`),
  }));
  const [one, other] = names;
  assert.ok(one && other);
  ip(one.host, `link add eth0 type veth peer name eth0 netns ${other.host}`);
  for (const { number, host, container } of names) wire(number, host, container);
  const nodes: PairedNode[] = [];
  for (const name of names) {
    const opened = openKernel(stack, name.host, kernel(name));
    const dataplane = stack.use(createDataplane(opened, { auditIntervalMs: NEVER_MS }));
    const calculation = new Calculation(nameOf(name.number));
    const node = pairedNode(name, {
      learn: (...facts) => {
        dataplane.update(calculation.update(facts));
      },
      isSettled() {
        const { isSettled, faults, blocked } = dataplane.status();
        return isSettled && faults.length === 0 && blocked.length === 0;
      },
    });
    node.learn(...cluster, endpointFact(name.number));
    await dataplane.start();
    nodes.push(node);
  }
  const [first, second] = nodes;
  assert.ok(first && second);
  const settled = async (): Promise<void> => {
    for (const node of nodes) await node.settled();
  };
  await settled();
  return {
    nodes: [first, second],
    learn(...facts) {
      for (const node of nodes) node.learn(...facts);
    },
    settled,
  };
}

/** What all know of a node; `ends` are its ends of tunnels. */
export function nodeFact(number: 1 | 2, ends: Pick<NodeFacts, "ipip" | "vxlan" | "wireguard"> = {}): Fact {
  const value = {
    address: addressOf(number),
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "datastore",
    ...ends,
  } as const;
  return { kind: "node", name: nameOf(number), value };
}

function endpointFact(number: 1 | 2): Fact {
  const value = { ifName: NODE_END, mac: containerMac(number), ips: [containerIpOf(number)] };
  return { kind: "endpoint", name: "c", value };
}

const nameOf = (number: 1 | 2): string => `host${number}`;
const addressOf = (number: 1 | 2): Ipv4 => parseIpv4(`192.168.0.10${number}`);
const blockOf = (number: 1 | 2) => parseCidr(`10.1.${number}.0/26`);
const tunnelIpOf = (number: 1 | 2): Ipv4 => parseIpv4(`10.1.${number}.1`);
const containerIpOf = (number: 1 | 2): Ipv4 => parseIpv4(`10.1.${number}.2`);
const containerMac = (number: 1 | 2) => parseMac(`02:00:00:00:00:0${number}`);

function addNamespace(stack: AsyncDisposableStack, name: string): string {
  execFileSync("ip", ["netns", "add", name]);
  stack.defer(() => {
    execFileSync("ip", ["netns", "del", name]);
  });
  return name;
}

function ip(netns: string, command: string): void {
  execFileSync("ip", ["-netns", netns, ...command.split(" ")]);
}

/** What the underlay's administrator and the CNI plugin do. */
function wire(number: 1 | 2, host: string, container: string): void {
  ip(host, `addr add ${addressOf(number)}/24 dev eth0`);
  ip(
    host,
    `link add ${NODE_END} type veth peer name eth0 address ${containerMac(number)} netns ${container}`,
  );
  for (const netns of [host, container]) for (const link of ["lo", "eth0"]) ip(netns, `link set ${link} up`);
  ip(container, `addr add ${containerIpOf(number)}/32 dev eth0`);
  ip(container, `route add ${GATEWAY} dev eth0 scope link`);
  ip(container, `route add default via ${GATEWAY} dev eth0`);
  ip(container, `neigh add ${GATEWAY} lladdr ${NODE_END_MAC} nud permanent dev eth0`);
}

interface Work {
  readonly learn: PairedNode["learn"];
  readonly isSettled: () => boolean;
}

function pairedNode(
  { number, host, container }: Pick<PairedNode, "number" | "host" | "container">,
  { learn, isSettled }: Work,
): PairedNode {
  const inside = (netns: string, command: readonly string[]): readonly string[] => [
    "netns",
    "exec",
    netns,
    ...command,
  ];
  return {
    number,
    host,
    container,
    address: addressOf(number),
    tunnelIp: tunnelIpOf(number),
    containerIp: containerIpOf(number),
    learn,
    settled: () => eventually(() => Promise.resolve(isSettled()), `a settled ${nameOf(number)}`),
    run: (...command) => succeed("ip", inside(host, command)),
    runInside: (...command) => succeed("ip", inside(container, command)),
    startInside: (...command) =>
      spawn("ip", inside(container, command), { stdio: ["ignore", "pipe", "pipe"] }),
  };
}
