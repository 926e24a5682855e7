// SPDX-License-Identifier: Apache-2.0
// The ways that packets can take between two hosts, on a lab that is changed from one to the next.
import { setTimeout as delay } from "node:timers/promises";
import { connectStore } from "../../src/datastore/client.ts";
import { type Lab, type LabStatus, namespaceOf } from "../../src/lab/lab.ts";
import { createLayout } from "../../src/lab/layout.ts";
import { listOccupants, netnsIdAt } from "../../src/lab/occupants.ts";
import type { Encapsulation } from "../../src/lab/topology-schema.ts";
import { resourceKey } from "../../src/model/keys.ts";
import { mergePatch } from "../../src/model/merge-patch.ts";
import { systemProcesses } from "../../src/system/process.ts";
import type { Ends } from "./load.ts";

/** How long a change may take; where nothing has come of it by then, this kernel or version does not have it. */
const IN_FORCE_TIMEOUT_MS = 15_000;
const RETRY_MS = 50;

export const WAYS = {
  "host to host": { encapsulation: "none", wireguard: false, through: "underlay" },
  "plain routing": { encapsulation: "none", wireguard: false, through: "underlay" },
  IPIP: { encapsulation: "ipip", wireguard: false, through: "ipip" },
  VXLAN: { encapsulation: "vxlan", wireguard: false, through: "vxlan" },
  WireGuard: { encapsulation: "none", wireguard: true, through: "wireguard" },
} as const satisfies Readonly<Record<string, WaySpec>>;
export type Way = keyof typeof WAYS;
export const WAY_NAMES = Object.keys(WAYS) as readonly Way[];

interface WaySpec {
  readonly encapsulation: Encapsulation;
  readonly wireguard: boolean;
  readonly through: Through;
}

/** What a host's route to the other's containers leads through. */
type Through = "underlay" | "ipip" | "vxlan" | "wireguard";

/** A lab of the reference network, as the benchmark uses it. */
export interface Site {
  readonly lab: Lab;
  readonly status: LabStatus;
  /** Processes that carry packets outside the kernel run there too. */
  readonly core: number;
  readonly signal: AbortSignal;
}

export function endsOf({ status }: Site, way: Way): Ends {
  const names = way === "host to host" ? ["host1", "host2"] : ["a", "d"];
  const [client = "", server = ""] = names.map((name) => namespaceOf(status, name));
  return { client, server, address: addressOf(status, names[1] ?? "") };
}

/** The namespaces of all hosts and containers. */
export function netnsIdsOf({ hosts, containers }: LabStatus): ReadonlySet<string> {
  const ids = [...hosts, ...containers].map(({ netns }) => netnsIdAt(`/run/netns/${netns}`));
  return new Set(ids.filter((id) => id !== undefined));
}

/** Changes the lab, and waits until both hosts' kernels follow. Tells what does the work; `undefined`: it is not available. */
export async function take(site: Site, way: Way): Promise<string | undefined> {
  const { lab, status, core, signal } = site;
  const { encapsulation, wireguard, through } = WAYS[way];
  await lab.up({ encapsulation, signal });
  if (wireguard) await enableWireguard(site);
  const deadline = Date.now() + IN_FORCE_TIMEOUT_MS;
  while (!(await isInForce(site, through))) {
    if (Date.now() > deadline) return undefined;
    await delay(RETRY_MS, undefined, { signal });
  }
  return await describe(status, through, core);
}

/** As an operator's tool would; the lab's own next change takes it back. */
async function enableWireguard({ lab, signal }: Site): Promise<void> {
  await using store = connectStore({ socketPath: createLayout(lab.name).host("host1").agentSocket });
  const key = resourceKey("FelixConfiguration", "default");
  const entry = await store.get(key, { signal });
  const changed = mergePatch(JSON.parse(entry?.value ?? "{}"), { spec: { wireguardEnabled: true } });
  await store.put(key, JSON.stringify(changed), { signal });
}

/** Both directions, and a packet that comes back. */
async function isInForce({ status, signal }: Site, through: Through): Promise<boolean> {
  const [a, d] = [addressOf(status, "a"), addressOf(status, "d")];
  const found = [await throughOf(status, "host1", d), await throughOf(status, "host2", a)];
  if (!found.every((one) => one === through)) return false;
  const ping = ["netns", "exec", namespaceOf(status, "a"), "ping", "-n", "-c", "1", "-W", "1", d];
  return (await systemProcesses.run("ip", ping, { signal })).code === 0;
}

async function throughOf(status: LabStatus, host: string, address: string): Promise<Through> {
  const route = await routesOf(status, host, "get", address);
  if (route.includes("wireguard.cali")) return "wireguard";
  if (route.includes("vxlan.calico")) return "vxlan";
  if (route.includes("tunl0")) return "ipip";
  return (await isByPrograms(status, host, address)) ? "ipip" : "underlay";
}

/** Where programs encapsulate, only the room that the route leaves for the header tells. */
async function isByPrograms(status: LabStatus, host: string, address: string): Promise<boolean> {
  return / mtu \d+/.test(await routesOf(status, host, "show", "match", address, "proto", "80"));
}

async function routesOf(status: LabStatus, host: string, ...command: readonly string[]): Promise<string> {
  const args = ["-netns", namespaceOf(status, host), "route", ...command];
  return (await systemProcesses.run("ip", args)).stdout;
}

async function describe(status: LabStatus, through: Through, core: number): Promise<string> {
  switch (through) {
    case "underlay":
      return "";
    case "vxlan":
      return "by the kernel's device";
    case "ipip":
      return (await isByPrograms(status, "host1", addressOf(status, "d")))
        ? "by BPF programs"
        : "by the kernel's device";
    case "wireguard":
      return (await pinUserspace(status, core)) ? "by wireguard-go" : "by the kernel's device";
  }
}

/** Puts what encrypts outside the kernel on the load's core, and tells whether there is such. */
async function pinUserspace(status: LabStatus, core: number): Promise<boolean> {
  const all = listOccupants(netnsIdsOf(status)).filter(({ command }) => command === "wireguard-go");
  for (const { pid } of all) await systemProcesses.run("taskset", ["-a", "-c", "-p", `${core}`, `${pid}`]);
  return all.length > 0;
}

function addressOf({ hosts, containers }: LabStatus, name: string): string {
  const host = hosts.find((candidate) => candidate.name === name);
  const container = containers.find((candidate) => candidate.name === name);
  return host?.address ?? container?.addresses[0] ?? "";
}
