// SPDX-License-Identifier: Apache-2.0
// A node behind its guard, and a machine on the same network that is another node by one of its addresses, and a stranger by another.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Nft } from "../../src/dataplane/nft/nft.ts";
import { renderTransaction } from "../../src/dataplane/nft/render.ts";
import type { NftTransaction } from "../../src/dataplane/nft/statement.ts";
import { DEFAULT_SETTINGS, type Fact } from "../../src/desired/facts.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { type Ip, parseIp } from "../../src/net/ip.ts";
import { type Ipv4, parseIpv4 } from "../../src/net/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../../src/net/ipv6.ts";
import { parseMac } from "../../src/net/mac.ts";
import { eventually } from "./harness.ts";
import { openKernel } from "./kernel-harness.ts";
import { type RestartableDataplane, createRestartableDataplane } from "./restartable-dataplane.ts";

export const HOST = parseIpv4("192.168.0.101");
export const OTHER = parseIpv4("192.168.0.102");
export const STRANGER = parseIpv4("192.168.0.66");
export const CONTAINER = parseIpv4("10.1.1.2");
/** A container of the other node. */
export const FAR = parseIpv4("10.1.2.2");
export const PORT = 7009;
export const END_MAC = parseMac("66:00:00:00:00:01");

export const HOST6 = parseIpv6("fd00:1::101");
export const OTHER6 = parseIpv6("fd00:1::102");
export const STRANGER6 = parseIpv6("fd00:1::66");
export const CONTAINER6 = parseIpv6("fd10::2");
export const FAR6 = parseIpv6("fd10::82");
export const END6_MAC = parseMac("66:00:00:00:00:61");

const END = { ip: parseIpv4("10.1.1.1"), mac: END_MAC };
const END6 = { ip: parseIpv6("fd10::1"), mac: END6_MAC };
const FAR_BLOCK = parseCidr("10.1.2.0/26");
const FAR_BLOCK6 = parseCidr("fd10::80/122");
const NODE_END = parseIfName("cali0123456789a");
const CONTAINER_MAC = parseMac("02:00:00:00:00:01");

export function nodeFact(name: string, address: Ipv4): Fact {
  const value = {
    address,
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "datastore",
    vxlan: { ip: parseIpv4("10.1.2.1"), mac: parseMac("66:00:00:00:00:02") },
    ipip: parseIpv4("10.1.2.1"),
  } as const;
  return { kind: "node", name, value };
}

/** The same of a node that has an IPv6 address too. */
export function nodeFact6(name: string, address: Ipv4, address6: Ipv6): Fact {
  const fact = nodeFact(name, address);
  if (fact.kind !== "node" || fact.value === undefined) return fact;
  const value = {
    ...fact.value,
    ipv6: { address: address6, subnet: parseCidr("fd00:1::/64") },
    vxlan6: { ip: parseIpv6("fd10::80"), mac: parseMac("66:00:00:00:00:62") },
  };
  return { ...fact, value };
}

/** What comes to that with a pool of IPv6 that uses VXLAN. */
export function vxlan6Facts(): readonly Fact[] {
  const encapsulation = { kind: "vxlan", crossSubnet: false } as const;
  return [
    nodeFact6("host1", HOST, HOST6),
    nodeFact6("host2", OTHER, OTHER6),
    {
      kind: "pool",
      name: "six",
      value: { cidr: parseCidr("fd10::/64"), encapsulation, disableBgpExport: false },
    },
    { kind: "block", cidr: FAR_BLOCK6, value: { cidr: FAR_BLOCK6, node: "host2", strays: [] } },
    { kind: "affinity", node: "host2", cidr: FAR_BLOCK6, value: true },
    {
      kind: "endpoint",
      name: "a",
      value: { ifName: NODE_END, mac: CONTAINER_MAC, ips: [CONTAINER, CONTAINER6] },
    },
    { kind: "vxlan6End", value: END6 },
  ];
}

/** What a node knows with one tunnel of the kind, and a container. */
export function factsWith(tunnel: "vxlan" | "ipip"): readonly Fact[] {
  const encapsulation = { kind: tunnel, crossSubnet: false } as const;
  const ends: Readonly<Record<typeof tunnel, Fact>> = {
    vxlan: { kind: "vxlanEnd", value: END },
    ipip: { kind: "ipipEnd", value: { ip: END.ip, driver: "device" } },
  };
  return [
    { kind: "underlay", mtu: 1500 },
    { kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore" } },
    nodeFact("host1", HOST),
    nodeFact("host2", OTHER),
    {
      kind: "pool",
      name: "default",
      value: { cidr: parseCidr("10.1.0.0/16"), encapsulation, disableBgpExport: false },
    },
    { kind: "block", cidr: FAR_BLOCK, value: { cidr: FAR_BLOCK, node: "host2", strays: [] } },
    { kind: "affinity", node: "host2", cidr: FAR_BLOCK, value: true },
    {
      kind: "endpoint",
      name: "a",
      value: { ifName: NODE_END, mac: CONTAINER_MAC, ips: [parseIp(CONTAINER)] },
    },
    ends[tunnel],
  ];
}

/** A program that reads namespace's datagrams, or the like. */
export interface Receiver extends AsyncDisposable {
  /** Waits for a text, and gives all that came before it. */
  until(text: string): Promise<readonly string[]>;
}

export interface GuardedNode extends RestartableDataplane, AsyncDisposable {
  /** What nftables was given so far for the guard, by the dataplane. */
  readonly transactions: readonly string[];
  /** Runs a command on the node; it has to succeed. */
  run(...command: readonly string[]): string;
  /** Runs a command on the other machine; it has to succeed. */
  runOutside(...command: readonly string[]): string;
  /** Sends one datagram from an address of the other machine. */
  send(from: Ip, to: Ip, port: number, payload: Buffer): void;
  /** Sends Ethernet frames from the other machine, as they are. */
  sendFrames(...frames: readonly Buffer[]): void;
  /** Listens in the container. */
  receive(): Promise<Receiver>;
}

export interface GuardedNodeOptions {
  /** A program in the place of nft, for one that is not there. @default nft itself, in the node's namespace */
  readonly nft?: string;
}

export const DATAGRAMS = fileURLToPath(new URL("./datagrams.ts", import.meta.url));
const SEND_FRAME = fileURLToPath(new URL("./send-frame.ts", import.meta.url));
let count = 0;

export async function createGuardedNode({ nft }: GuardedNodeOptions = {}): Promise<GuardedNode> {
  await using stack = new AsyncDisposableStack();
  const { host, outside, container } = layNetwork(stack);
  const transactions: string[] = [];
  const opened = openKernel(stack, host, nft === undefined ? {} : { nftCommand: [nft] });
  const kernel = { ...opened, nft: recordingNft(opened.nft, "margay", transactions) };
  const dataplane = createRestartableDataplane(stack, kernel);
  const owned = stack.move();
  return {
    transactions,
    ...dataplane,
    run: (...command) => runIn(host, command),
    runOutside: (...command) => runIn(outside, command),
    send(from, to, port, payload) {
      runIn(outside, [process.execPath, DATAGRAMS, "send", from, to, String(port), payload.toString("hex")]);
    },
    sendFrames(...frames) {
      runIn(outside, [process.execPath, SEND_FRAME, "eth0", ...frames.map((frame) => frame.toString("hex"))]);
    },
    receive: () => startReceiver(container),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Resolves once the link waits for something else. */
export async function eventuallyBlocked(node: GuardedNode, link: string): Promise<void> {
  const isBlocked = (): boolean =>
    node.status().blocked.some(({ kind, key }) => kind === "link" && key === link);
  await eventually(() => Promise.resolve(isBlocked()), `"${link}" waiting`);
}

/** Takes down what is asked for of a table, by whatever way it goes. */
export function recordingNft(nft: Nft, name: string, transactions: string[]): Nft {
  const record = (transaction: NftTransaction): void => {
    if (transaction.table.name === name) transactions.push(renderTransaction(transaction));
  };
  return {
    ...nft,
    run(transaction) {
      record(transaction);
      return nft.run(transaction);
    },
    change(table, statements, types) {
      record({ table, statements });
      return nft.change(table, statements, types);
    },
  };
}

/** Three namespaces: the node, the other machine, and a container on the node that is not wired up yet but for its link. */
function layNetwork(stack: AsyncDisposableStack): Readonly<Record<"host" | "outside" | "container", string>> {
  const [host, outside, container] = [addNamespace(stack), addNamespace(stack), addNamespace(stack)];
  const ip = (netns: string, command: string): string => runIn(netns, ["ip", ...command.split(" ")]);
  ip(host, `link add eth0 type veth peer name eth0 netns ${outside}`);
  ip(host, `link add ${NODE_END} type veth peer name eth0 address ${CONTAINER_MAC} netns ${container}`);
  ip(host, `addr add ${HOST}/24 dev eth0`);
  ip(outside, `addr add ${OTHER}/24 dev eth0`);
  ip(outside, `addr add ${STRANGER}/24 dev eth0`);
  ip(container, `addr add ${CONTAINER}/32 dev eth0`);
  ip(host, `addr add ${HOST6}/64 dev eth0 nodad`);
  ip(outside, `addr add ${OTHER6}/64 dev eth0 nodad`);
  ip(outside, `addr add ${STRANGER6}/64 dev eth0 nodad`);
  ip(container, `addr add ${CONTAINER6}/128 dev eth0 nodad`);
  for (const netns of [host, outside, container])
    for (const link of ["lo", "eth0"]) ip(netns, `link set ${link} up`);
  return { host, outside, container };
}

export function addNamespace(stack: AsyncDisposableStack): string {
  const name = `mnf${process.pid}n${++count}`;
  execFileSync("ip", ["netns", "add", name]);
  stack.defer(() => {
    execFileSync("ip", ["netns", "del", name]);
  });
  return name;
}

export function runIn(netns: string, command: readonly string[]): string {
  return execFileSync("ip", ["netns", "exec", netns, ...command], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** `senders` names them too: `<address> <port> <text>`. */
export async function startReceiver(
  netns: string,
  mode: "receive" | "senders" = "receive",
): Promise<Receiver> {
  const command = [process.execPath, DATAGRAMS, mode, String(PORT)];
  const child = spawn("ip", ["netns", "exec", netns, ...command], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const until = async (text: string): Promise<readonly string[]> => {
    const lines = (): readonly string[] => output.split("\n");
    const at = (): number => lines().findIndex((line) => line === text || line.endsWith(` ${text}`));
    await eventually(() => Promise.resolve(at() >= 0), `"${text}" at the receiver`);
    return lines().slice(1, at());
  };
  await until("ready");
  return { until, [Symbol.asyncDispose]: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  child.kill();
  await once(child, "close");
}
