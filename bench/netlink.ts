// SPDX-License-Identifier: Apache-2.0
// Route changes per second: our netlink against `ip -batch`, in turn, in a namespace of their own.
// npm run bench -- netlink [routes] [rounds]
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createVeth } from "../src/dataplane/netlink/link-veth.ts";
import { getLink, setLink } from "../src/dataplane/netlink/link.ts";
import { openNetns } from "../src/dataplane/netlink/netns.ts";
import {
  type KernelRoute,
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
  addRoute,
  deleteRoute,
  listRoutesWhere,
} from "../src/dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../src/dataplane/netlink/rtnetlink.ts";
import type { NetlinkRequest } from "../src/dataplane/netlink/request.ts";
import { addressAt, hostCidr, parseCidr } from "../src/net/cidr.ts";
import { parseIfName } from "../src/net/if-name.ts";

const PROTOCOL = 80;
const VETH = parseIfName("v0");
const [count = 100_000, rounds = 5] = process.argv.slice(3).map(Number);

/** The routes of a node to its containers: `<address>/32 dev v0 scope link`. */
function containerRoutes(ifIndex: number): readonly KernelRoute[] {
  const all = parseCidr("10.64.0.0/10");
  return Array.from({ length: count }, (_, index) => ({
    table: RT_TABLE_MAIN,
    dst: hostCidr(addressAt(all, index)),
    type: "unicast" as const,
    protocol: PROTOCOL,
    scope: RT_SCOPE_LINK,
    metric: 0,
    ifIndex,
    onlink: false,
  }));
}

async function makeVeth(rtnetlink: Rtnetlink): Promise<number> {
  await executeAll(rtnetlink, [
    createVeth({ name: VETH, up: true, peer: { name: parseIfName("v1") } }),
    setLink({ name: parseIfName("v1"), up: true }),
  ]);
  const [link] = await rtnetlink.list(getLink(VETH));
  if (link === undefined) throw new Error(`Cannot find link "${VETH}"`);
  return link.index;
}

async function executeAll(rtnetlink: Rtnetlink, requests: readonly NetlinkRequest[]): Promise<void> {
  const error = (await rtnetlink.execute(requests)).find((result) => result !== undefined);
  if (error !== undefined) throw error;
}

/** Things per second. */
async function measure(action: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await action();
  return (count / (performance.now() - start)) * 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function batchFile(folder: string, verb: string, routes: readonly KernelRoute[]): string {
  const path = join(folder, verb);
  const lines = routes.map(({ dst }) => `route ${verb} ${dst} dev ${VETH} scope link proto ${PROTOCOL}\n`);
  writeFileSync(path, lines.join(""));
  return path;
}

async function run(namespace: string, folder: string): Promise<void> {
  using netns = openNetns(`/run/netns/${namespace}`);
  await using rtnetlink = openRtnetlink({ netns });
  const routes = containerRoutes(await makeVeth(rtnetlink));
  const dump = listRoutesWhere({ family: 4, protocol: PROTOCOL });
  const files = { add: batchFile(folder, "add", routes), del: batchFile(folder, "del", routes) };
  const batch = (file: string) => (): void => {
    execFileSync("ip", ["-netns", namespace, "-batch", file]);
  };
  const subjects: Readonly<Record<string, () => Promise<void> | void>> = {
    "margay add": () => executeAll(rtnetlink, routes.map(addRoute)),
    "margay list": async () => {
      const listed = await rtnetlink.list(dump);
      if (listed.length !== count) throw new Error(`Cannot list ${count} routes: there are ${listed.length}`);
    },
    "margay delete": () => executeAll(rtnetlink, routes.map(deleteRoute)),
    "ip -batch add": batch(files.add),
    "ip -batch delete": batch(files.del),
  };
  const rates = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const [name, action] of Object.entries(subjects)) rates.get(name)?.push(await measure(action));
  report(rates);
}

function report(rates: ReadonlyMap<string, readonly number[]>): void {
  const medians = new Map(Array.from(rates, ([name, values]) => [name, median(values)]));
  for (const [name, values] of rates) {
    const spread = `${Math.round(Math.min(...values))} … ${Math.round(Math.max(...values))}`;
    console.log(`${name.padEnd(18)}${String(Math.round(median(values))).padStart(9)} routes/s  (${spread})`);
  }
  for (const verb of ["add", "delete"]) {
    const ratio = (medians.get(`margay ${verb}`) ?? NaN) / (medians.get(`ip -batch ${verb}`) ?? NaN);
    console.log(`${verb}: ${ratio.toFixed(1)} times ip -batch`);
  }
}

console.log(`${count} routes, ${rounds} rounds, medians:`);
const namespace = `mnlbench${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), "netlink-bench-"));
execFileSync("ip", ["netns", "add", namespace]);
try {
  await run(namespace, folder);
} finally {
  execFileSync("ip", ["netns", "del", namespace]);
  rmSync(folder, { recursive: true });
}
