// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { affinityPrefix, blockPrefix, parseBlockKey } from "../../src/model/keys.ts";
import { parseNodeName } from "../../src/model/name.ts";
import { cidrAddress, cidrContains, cidrFamily, parseCidr } from "../../src/net/cidr.ts";
import { type Family, familyOf } from "../../src/net/ip.ts";
import { type Result, callInProcess, callVariables, networkConfig } from "../system/cni-runtime.ts";
import { type Lab, createLab, eventually, execute, readStore, succeed } from "../system/harness.ts";
import { PING_ONCE } from "../system/patience.ts";

interface Pool {
  readonly name: string;
  readonly cidr: string;
  readonly blockSize?: number;
  readonly assignmentMode?: string;
}

interface Case {
  readonly pools: readonly Pool[];
  /** Pools that the containers' networks ask for, in turn: no block of them is claimed ahead of need. */
  readonly asked?: readonly Pool[];
  readonly routeReadiness: "local" | "peers";
  /** Of the address that is contacted; with 6, containers have one of each family. @default 4 */
  readonly family?: Family;
  /** How often in a row. */
  readonly counts: { readonly test: number; readonly soak: number };
}

const USUAL: Pool = { name: "pool", cidr: "10.1.0.0/16" };
/** Each with blocks of one address. */
const ASKED: readonly Pool[] = Array.from({ length: 64 }, (_, index) => ({
  name: `asked${index}`,
  cidr: `10.2.${index}.0/30`,
  blockSize: 32,
  assignmentMode: "Manual",
}));
const [AGAIN] = ASKED as [Pool];
const USUAL6: Pool = { name: "pool6", cidr: "fd10::/64" };
const ASKED6: readonly Pool[] = ASKED.map((pool, index) => ({
  ...pool,
  cidr: `fd20::${index.toString(16)}:0/126`,
  blockSize: 128,
}));

/**
 * How addresses come about: in a block that all nodes know; each in a block of its own, that is new, or that the node has just given up; or out of another node's block, the only one
 * there is.
 */
export const CASES = {
  known: { pools: [USUAL], routeReadiness: "local", counts: { test: 60, soak: 1000 } },
  new: {
    pools: [USUAL, ...ASKED],
    asked: ASKED,
    routeReadiness: "peers",
    counts: { test: 40, soak: 200 },
  },
  "claimed again": {
    pools: [USUAL, AGAIN],
    asked: [AGAIN],
    routeReadiness: "peers",
    counts: { test: 4, soak: 40 },
  },
  borrowed: {
    pools: [{ ...USUAL, cidr: "10.1.0.0/26" }],
    routeReadiness: "peers",
    counts: { test: 40, soak: 200 },
  },
  "known, in IPv6": {
    pools: [USUAL, USUAL6],
    routeReadiness: "local",
    family: 6,
    counts: { test: 20, soak: 1000 },
  },
  "new, in IPv6": {
    pools: [USUAL, USUAL6, ...ASKED6],
    asked: ASKED6,
    routeReadiness: "peers",
    family: 6,
    counts: { test: 10, soak: 200 },
  },
} satisfies Readonly<Record<string, Case>>;

export type CaseName = keyof typeof CASES;
export const CASE_NAMES = Object.keys(CASES) as CaseName[];

export async function createCaseLab(name: CaseName, routeSource: "bird" | "datastore"): Promise<Lab> {
  using directory = mkdtempDisposableSync(join(tmpdir(), "margay-first-"));
  const topology = join(directory.path, "topology.json");
  writeFileSync(topology, JSON.stringify(topologyOf(CASES[name])));
  return await createLab({ routeSource, topology });
}

function topologyOf({ pools, family = 4 }: Case): object {
  const onlyIn6 = <T extends object>(part: T): Partial<T> => (family === 6 ? part : {});
  return {
    underlay: {
      segments: [{ name: "underlay0", cidr: "192.168.0.0/24", ...onlyIn6({ ipv6Cidr: "fd00:1::/64" }) }],
    },
    hosts: [
      { name: "host1", address: "192.168.0.101", ...onlyIn6({ ipv6Address: "fd00:1::101" }) },
      { name: "host2", address: "192.168.0.102", ...onlyIn6({ ipv6Address: "fd00:1::102" }) },
    ],
    containers: [
      { name: "a", host: "host1" },
      { name: "b", host: "host2" },
    ],
    pools,
  };
}

/**
 * Attaches a container on one host, has one on the other contact it at once by a single packet, and detaches it: so many times in a row, each time with another container. Gives those that were not reached.
 * The agent is asked as its plugin asks it, without a process for each.
 */
export async function contactNewContainers(
  lab: Lab,
  name: CaseName,
  count: number,
): Promise<readonly string[]> {
  const { asked = [], routeReadiness, family = 4 }: Case = CASES[name];
  // One of them has the only block, where there is one.
  const [host, from] =
    (await hasBlock(lab, "host1")) && name === "borrowed" ? ["host2", "a"] : ["host1", "b"];
  const netns = `margay-${lab.name}-first`;
  await succeed("ip", ["netns", "add", netns]);
  try {
    await succeed("ip", ["-n", netns, "link", "set", "lo", "up"]);
    const unreached: string[] = [];
    for (let number = 0; number < count; number++) {
      const pool = asked[number % asked.length];
      if (pool !== undefined) await isUnclaimed(lab, pool);
      const call = { host, container: `first${number}`, netns, routeReadiness, family, pool };
      const { ips } = (await callAgent(lab, "ADD", call)) as Result;
      const addresses = ips.map(({ address }) => cidrAddress(parseCidr(address)));
      const address = addresses.find((ip) => familyOf(ip) === family) ?? assert.fail("no address");
      if (!(await isReached(lab, from, address))) unreached.push(`${call.container} at ${address}`);
      await callAgent(lab, "DEL", call);
    }
    return unreached;
  } finally {
    await execute("ip", ["netns", "del", netns]);
  }
}

async function hasBlock(lab: Lab, host: string): Promise<boolean> {
  return (await readStore(lab, affinityPrefix(parseNodeName(host), 4))).size > 0;
}

/** Resolves once no node has a block of the pool, so that the next is a new one. */
async function isUnclaimed(lab: Lab, { name, cidr }: Pool): Promise<void> {
  const isFree = async (): Promise<boolean> =>
    (await readStore(lab, blockPrefix(cidrFamily(parseCidr(cidr))))).keys().every((key) => {
      const block = parseBlockKey(key);
      return block === undefined || !cidrContains(parseCidr(cidr), block);
    });
  await eventually(isFree, `the blocks of ${name} being given up`);
}

async function isReached(lab: Lab, from: string, address: string): Promise<boolean> {
  const ping = [...PING_ONCE, address];
  return (await execute("ip", ["netns", "exec", `margay-${lab.name}-${from}`, ...ping])).code === 0;
}

interface AgentCall {
  readonly host: string;
  readonly container: string;
  readonly netns: string;
  readonly routeReadiness: Case["routeReadiness"];
  readonly family: Family;
  readonly pool: Pool | undefined;
}

async function callAgent(
  lab: Lab,
  command: "ADD" | "DEL",
  { host, container, netns, routeReadiness, family, pool }: AgentCall,
): Promise<unknown> {
  const both = family === 6 ? { assign_ipv6: "true" } : {};
  const asked = pool && { [`ipv${family}_pools`]: [pool.name] };
  const config = networkConfig(lab, { routeReadiness, ipam: { ...both, ...asked } }, host);
  const { code, stdout } = await callInProcess(callVariables(command, container, netns), config);
  assert.equal(code, 0, `${command} ${container}: ${stdout}`);
  return command === "ADD" ? JSON.parse(stdout) : undefined;
}
