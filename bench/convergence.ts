// SPDX-License-Identifier: Apache-2.0
// From a new block in the datastore to a route in another node's kernel: by BIRD and from the datastore by turns, in clusters of several sizes.
// npm run bench -- convergence [--nodes 2,20,100] [--blocks 40] [--write]
import { parseArgs } from "node:util";
import { describeFailure } from "../src/cli/failure.ts";
import { stopSignals } from "../src/cli/signals.ts";
import { connectStore } from "../src/datastore/client.ts";
import type { Store } from "../src/datastore/store.ts";
import { newBlock } from "../src/ipam/block.ts";
import { type Lab, openLab } from "../src/lab/lab.ts";
import { createLayout } from "../src/lab/layout.ts";
import { renderAffinity } from "../src/model/ipam-affinity.ts";
import { renderBlock } from "../src/model/ipam-block.ts";
import { affinityKey, blockKey } from "../src/model/keys.ts";
import { parseNodeName } from "../src/model/name.ts";
import { type Cidr, parseCidr } from "../src/net/cidr.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemProcesses } from "../src/system/process.ts";
import { type Sample, ROUTE_SOURCES, renderResults, writeReport } from "./convergence/report.ts";
import { type RouteWatch, watchRoutes } from "./convergence/route-watch.ts";
import { writeTopology } from "./convergence/topology.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    nodes: { type: "string", default: "2,20,100" },
    /** For each size and source. */
    blocks: { type: "string", default: "40" },
    /** Puts tables and chart into docs/. */
    write: { type: "boolean", default: false },
  },
});
const LAB = "mbc";
/** Of the nodes that hear of a block, so many are looked at: to look at all would take the time of those who are measured. */
const OBSERVERS = 5;
const ROUNDS = 4;

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function run(nodes: number, blocks: number, signal: AbortSignal): Promise<readonly Sample[]> {
  const quiet = { processes: systemProcesses, clock: systemClock, progress: (): void => undefined };
  const lab = openLab(quiet, LAB);
  using topology = writeTopology(nodes);
  say(`${nodes} nodes: starting`);
  const id = await lab.up({ topologyFile: topology.path, routeSource: "datastore", mustBeNew: true, signal });
  try {
    return await measureRounds(lab, { nodes, blocks, signal });
  } finally {
    // Asked to stop or not, nothing is left behind.
    await lab.down({ id, signal: new AbortController().signal });
  }
}

interface Plan {
  readonly nodes: number;
  readonly blocks: number;
  readonly signal: AbortSignal;
}

async function measureRounds(lab: Lab, { nodes, blocks, signal }: Plan): Promise<readonly Sample[]> {
  const layout = createLayout(LAB);
  const origin = `host${nodes}`;
  await using store = connectStore({ socketPath: layout.host("host1").agentSocket });
  await using watches = new AsyncDisposableStack();
  const observers = observersOf(nodes).map((host) => watches.use(watchRoutes(layout.namespacePath(host))));
  const samples: Sample[] = [];
  let block = 0;
  for (let round = 1; round <= ROUNDS; round++)
    for (const source of ROUTE_SOURCES) {
      await lab.up({ routeSource: source, signal });
      say(`${nodes} nodes: round ${round} of ${ROUNDS}, routes by ${source}`);
      for (let count = 0; count < blocks / ROUNDS; count++) {
        signal.throwIfAborted();
        const delaysMs = await announce({ store, observers, origin, cidr: blockNumber(block++) });
        samples.push(...delaysMs.map((delayMs) => ({ nodes, source, delayMs })));
      }
    }
  return samples;
}

/** Spread over all nodes but the last, whose blocks are looked for. */
function observersOf(nodes: number): readonly string[] {
  const count = Math.min(OBSERVERS, nodes - 1);
  return Array.from({ length: count }, (_, index) => `host${1 + Math.floor((index * (nodes - 1)) / count)}`);
}

/** In the upper half of the pool, far from those that nodes take by themselves. */
function blockNumber(number: number): Cidr {
  return parseCidr(`10.32.${Math.floor(number / 4)}.${(number % 4) * 64}/26`);
}

interface Announcement {
  readonly store: Store;
  readonly observers: readonly RouteWatch[];
  readonly origin: string;
  readonly cidr: Cidr;
}

/** Writes what a node that claims a block writes last, and waits for the routes. */
async function announce({ store, observers, origin, cidr }: Announcement): Promise<readonly number[]> {
  const node = parseNodeName(origin);
  await store.put(blockKey(cidr), renderBlock(newBlock(cidr, { node, nowMs: Date.now() })));
  const routes = observers.map((watch) => watch.routeTo(cidr));
  const startMs = performance.now();
  await store.put(affinityKey(node, cidr), renderAffinity({ state: "confirmed", deleted: false }));
  return (await Promise.all(routes)).map((atMs) => atMs - startMs);
}

using stop = stopSignals();
try {
  const samples: Sample[] = [];
  for (const nodes of values.nodes.split(",").map(Number))
    samples.push(...(await run(nodes, Number(values.blocks), stop.signal)));
  console.log(renderResults(samples));
  if (values.write) writeReport(samples);
} catch (error) {
  say(stop.exitCode === undefined ? describeFailure(error) : "interrupted");
  process.exitCode = stop.exitCode ?? 1;
}
