// SPDX-License-Identifier: Apache-2.0
// A node with two containers of both families, and a machine beside it that knows the way to them, by two addresses.
import { fileURLToPath } from "node:url";
import { DEFAULT_SETTINGS, type Fact, type Settings } from "../../src/desired/facts.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { type IfName, parseIfName } from "../../src/net/if-name.ts";
import { type Ip, familyOf } from "../../src/net/ip.ts";
import { type Ipv4, parseIpv4 } from "../../src/net/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../../src/net/ipv6.ts";
import { type Mac, parseMac } from "../../src/net/mac.ts";
import {
  DATAGRAMS,
  PORT,
  type Receiver,
  addNamespace,
  recordingNft,
  runIn,
  startReceiver,
} from "./guard-harness.ts";
import { openKernel } from "./kernel-harness.ts";
import { type RestartableDataplane, createRestartableDataplane } from "./restartable-dataplane.ts";

export const HOST = parseIpv4("192.168.0.101");
export const HOST6 = parseIpv6("fd01::101");
/** The machine beside the node. */
export const OUTSIDE = parseIpv4("192.168.0.102");
export const OUTSIDE6 = parseIpv6("fd01::102");
export const OTHER_OUTSIDE = parseIpv4("192.168.0.66");
export const POOL = parseCidr("10.1.0.0/16");
export const POOL6 = parseCidr("fd00:1::/48");
/** Addresses in there are the machine's. */
export const OTHER_POOL = parseCidr("10.2.0.0/16");
export const IN_OTHER_POOL = parseIpv4("10.2.0.9");
export const NODE_END_MAC = parseMac("ee:ee:ee:ee:ee:ee");

/** A container by its hand-made parts. */
export interface Workload {
  readonly name: "a" | "b";
  readonly ifName: IfName;
  readonly mac: Mac;
  readonly ip: Ipv4;
  readonly ip6: Ipv6;
}

export const A: Workload = {
  name: "a",
  ifName: parseIfName("cali0000000000a"),
  mac: parseMac("02:00:00:00:00:0a"),
  ip: parseIpv4("10.1.1.2"),
  ip6: parseIpv6("fd00:1::2"),
};
export const B: Workload = {
  name: "b",
  ifName: parseIfName("cali0000000000b"),
  mac: parseMac("02:00:00:00:00:0b"),
  ip: parseIpv4("10.1.1.3"),
  ip6: parseIpv6("fd00:1::3"),
};

export function endpointFact({ name, ifName, mac, ip, ip6 }: Workload): Fact {
  return { kind: "endpoint", name, value: { ifName, mac, ips: [ip, ip6] } };
}

export function noEndpoint({ name }: Workload): Fact {
  return { kind: "endpoint", name, value: undefined };
}

export function poolFact(name: string, cidr: string, natOutgoing: boolean): Fact {
  const value = {
    cidr: parseCidr(cidr),
    encapsulation: { kind: "none" } as const,
    disableBgpExport: false,
    natOutgoing,
  };
  return { kind: "pool", name, value };
}

export function settingsFact(settings: Partial<Settings>): Fact {
  return { kind: "settings", value: { ...DEFAULT_SETTINGS, routeSource: "datastore", ...settings } };
}

export function nodeFact(name: string, address: Ipv4, ipv6?: Ipv6): Fact {
  const value = {
    address,
    subnet: parseCidr("192.168.0.0/24"),
    asNumber: undefined,
    routeSource: "datastore",
    ...(ipv6 !== undefined && { ipv6: { address: ipv6, subnet: parseCidr("fd01::/64") } }),
  } as const;
  return { kind: "node", name, value };
}

type Place = "host" | "outside" | "a" | "b";

export interface SendOptions {
  readonly from: Ip;
  readonly to: Ip;
  readonly text: string;
  readonly sourcePort?: number;
}

export interface WorkloadNode extends RestartableDataplane, AsyncDisposable {
  /** What nftables was given so far for the table that is recorded. */
  readonly transactions: readonly string[];
  /** Runs a command; it has to succeed. */
  run(place: Place, ...command: readonly string[]): string;
  /** Sends one datagram. */
  send(place: Place, options: SendOptions): void;
  /** Sends Ethernet frames out of `eth0`. */
  sendFrames(place: Place, ...frames: readonly Buffer[]): void;
  receive(place: Place, mode?: "receive" | "senders"): Promise<Receiver>;
}

/** What it knows at first: itself, and both containers. */
const FACTS: readonly Fact[] = [
  settingsFact({}),
  nodeFact("host1", HOST, HOST6),
  endpointFact(A),
  endpointFact(B),
];
const SEND_FRAME = fileURLToPath(new URL("./send-frame.ts", import.meta.url));

export async function createWorkloadNode({ recorded }: { readonly recorded: string }): Promise<WorkloadNode> {
  await using stack = new AsyncDisposableStack();
  const places = layNetwork(stack);
  const transactions: string[] = [];
  const opened = openKernel(stack, places.host);
  const kernel = { ...opened, nft: recordingNft(opened.nft, recorded, transactions) };
  const dataplane = createRestartableDataplane(stack, kernel, FACTS);
  const owned = stack.move();
  return {
    transactions,
    ...dataplane,
    run: (place, ...command) => runIn(places[place], command),
    send(place, { from, to, text, sourcePort = 0 }) {
      const payload = Buffer.from(text).toString("hex");
      const args = [from, to, String(PORT), payload, String(sourcePort)];
      runIn(places[place], [process.execPath, DATAGRAMS, "send", ...args]);
    },
    sendFrames(place, ...frames) {
      runIn(places[place], [
        process.execPath,
        SEND_FRAME,
        "eth0",
        ...frames.map((frame) => frame.toString("hex")),
      ]);
    },
    receive: (place, mode) => startReceiver(places[place], mode),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function layNetwork(stack: AsyncDisposableStack): Readonly<Record<Place, string>> {
  const places = {
    host: addNamespace(stack),
    outside: addNamespace(stack),
    a: addNamespace(stack),
    b: addNamespace(stack),
  };
  const { host, outside } = places;
  ip(host, `link add eth0 type veth peer name eth0 netns ${outside}`);
  for (const netns of [host, outside]) for (const link of ["lo", "eth0"]) ip(netns, `link set ${link} up`);
  for (const address of [`${HOST}/24`, `${HOST6}/64`]) addAddress(host, address);
  for (const address of [OUTSIDE, OTHER_OUTSIDE]) addAddress(outside, `${address}/24`);
  for (const address of [`${OUTSIDE6}/64`, `${IN_OTHER_POOL}/32`]) addAddress(outside, address);
  ip(outside, `route add ${POOL} via ${HOST}`);
  ip(outside, `-6 route add ${POOL6} via ${HOST6}`);
  ip(host, `route add ${OTHER_POOL} via ${OUTSIDE}`);
  runIn(host, ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"]);
  for (const workload of [A, B]) attach(host, places[workload.name], workload);
  return places;
}

/** As the plugin leaves a container, for the family that it knows, and for IPv6 likewise. */
function attach(host: string, netns: string, { ifName, mac, ip: ip4, ip6 }: Workload): void {
  ip(
    host,
    `link add ${ifName} address ${NODE_END_MAC} type veth peer name eth0 address ${mac} netns ${netns}`,
  );
  ip(host, `link set ${ifName} up`);
  for (const link of ["lo", "eth0"]) ip(netns, `link set ${link} up`);
  addAddress(netns, `${ip4}/32`);
  addAddress(netns, `${ip6}/128`);
  ip(netns, "route add 169.254.1.1 dev eth0 scope link");
  ip(netns, "route add default via 169.254.1.1");
  ip(netns, `neigh replace 169.254.1.1 lladdr ${NODE_END_MAC} dev eth0 nud permanent`);
  ip(netns, "-6 route add default via fe80::ecee:eeff:feee:eeee dev eth0");
  ip(netns, `-6 neigh replace fe80::ecee:eeff:feee:eeee lladdr ${NODE_END_MAC} dev eth0 nud permanent`);
}

/** Usable at once: nobody else could have it. */
function addAddress(netns: string, address: string): void {
  const isIpv6 = familyOf(address.split("/")[0] as Ip) === 6;
  ip(netns, `addr add ${address} dev eth0${isIpv6 ? " nodad" : ""}`);
}

function ip(netns: string, command: string): void {
  runIn(netns, ["ip", ...command.split(" ")]);
}
