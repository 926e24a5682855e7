// SPDX-License-Identifier: Apache-2.0
// From a cable that is cut, unseen by the node, to the node's route by the other router alone: by hold time and by BFD in turn.
// npm run bench -- reroute [--rounds 5] [--write]
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { birdFiles } from "../src/bird/daemon.ts";
import { describeFailure } from "../src/cli/failure.ts";
import { stopSignals } from "../src/cli/signals.ts";
import { setLink } from "../src/dataplane/netlink/link.ts";
import { openNetns } from "../src/dataplane/netlink/netns.ts";
import { type KernelRoute, listRoutes } from "../src/dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../src/dataplane/netlink/rtnetlink.ts";
import { connectStore } from "../src/datastore/client.ts";
import { applyResource } from "../src/datastore/resources.ts";
import type { Store } from "../src/datastore/store.ts";
import { applyAll } from "../src/lab/apply.ts";
import { openLab } from "../src/lab/lab.ts";
import { UNDERLAY, createLayout } from "../src/lab/layout.ts";
import { API_VERSION, parseResource, unwrap } from "../src/model/resource.ts";
import { parseCidr } from "../src/net/cidr.ts";
import { parseIfName } from "../src/net/if-name.ts";
import { abortable } from "../src/system/abortable.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemProcesses } from "../src/system/process.ts";
import { type RouteWatch, watchRoutes } from "./convergence/route-watch.ts";
import { type Sample, renderResults, writeReport } from "./reroute/report.ts";
import { type Times, untilSessions } from "./reroute/sessions.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: "string", default: "5" },
    /** Puts the table into docs/. */
    write: { type: "boolean", default: false },
  },
});
const LAB = "mbr";
const TOPOLOGY = fileURLToPath(new URL("reroute/topology.yaml", import.meta.url));
const ROUTERS = { tor1: "192.168.0.1", tor2: "192.168.0.2" };
/** What both routers tell the host of. */
const BEYOND = parseCidr("198.51.100.0/24");
/** The switch's end of the first router's cable. */
const CABLE = parseIfName("tor1.0");

interface Variant {
  readonly name: string;
  /** What of the BGPPeers makes it. */
  readonly spec: object;
  readonly times: Times;
  /** In each round. */
  readonly cuts: number;
}

const VARIANTS: readonly Variant[] = [
  { name: "hold time, 90 s (the default)", spec: {}, times: { holdSeconds: 90 }, cuts: 1 },
  {
    name: "hold time, 9 s (`keepaliveTime: 3s`)",
    spec: { keepaliveTime: "3s" },
    times: { holdSeconds: 9 },
    cuts: 2,
  },
  {
    name: "BFD, 3 × 300 ms (`bfd: {}`)",
    spec: { bfd: {} },
    times: { holdSeconds: 90, bfdSeconds: 0.9 },
    cuts: 4,
  },
  {
    name: "BFD, 3 × 100 ms",
    spec: { bfd: { minReceiveInterval: 100, minTransmitInterval: 100 } },
    times: { holdSeconds: 90, bfdSeconds: 0.3 },
    cuts: 4,
  },
];

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function run(rounds: number, signal: AbortSignal): Promise<readonly Sample[]> {
  const quiet = { processes: systemProcesses, clock: systemClock, progress: (): void => undefined };
  const lab = openLab(quiet, LAB);
  const id = await lab.up({ topologyFile: TOPOLOGY, mustBeNew: true, signal });
  try {
    return await measureRounds(rounds, signal);
  } finally {
    // Asked to stop or not, nothing is left behind.
    await lab.down({ id, signal: new AbortController().signal });
  }
}

/** What a measurement needs at hand. */
interface Site {
  readonly store: Store;
  readonly host: Rtnetlink;
  readonly switches: Rtnetlink;
  readonly watch: RouteWatch;
  readonly birdSocket: string;
  readonly signal: AbortSignal;
}

async function measureRounds(rounds: number, signal: AbortSignal): Promise<readonly Sample[]> {
  const layout = createLayout(LAB);
  const { agentSocket, directory } = layout.host("host1");
  await using store = connectStore({ socketPath: agentSocket });
  await using host = rtnetlinkOf(layout.namespacePath("host1"));
  await using switches = rtnetlinkOf(layout.namespacePath(UNDERLAY));
  await using watch = watchRoutes(layout.namespacePath("host1"));
  const { socket: birdSocket } = birdFiles(join(directory, "bird"));
  const site: Site = { store, host, switches, watch, birdSocket, signal };
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round++)
    for (const variant of VARIANTS) {
      await configure(site, variant);
      for (let cut = 1; cut <= variant.cuts; cut++) {
        const delayMs = await measureCut(site, variant);
        say(`round ${round} of ${rounds}: ${variant.name}: ${Math.round(delayMs)} ms`);
        samples.push({ variant: variant.name, delayMs });
      }
    }
  return samples;
}

function rtnetlinkOf(netnsPath: string): Rtnetlink {
  using netns = openNetns(netnsPath);
  return openRtnetlink({ netns });
}

async function configure({ store, signal }: Site, { spec }: Variant): Promise<void> {
  for (const [name, peerIP] of Object.entries(ROUTERS)) {
    const json = {
      apiVersion: API_VERSION,
      kind: "BGPPeer",
      metadata: { name },
      spec: { peerIP, asNumber: 64999, ...spec },
    };
    await applyResource(store, unwrap(parseResource("BGPPeer", json), name), { signal });
  }
}

/** From both routers up and used to the route by the second alone, in milliseconds. */
async function measureCut(site: Site, { times }: Variant): Promise<number> {
  const { host, switches, watch, birdSocket, signal } = site;
  const count = Object.keys(ROUTERS).length;
  await untilSessions(systemProcesses, { socket: birdSocket, count, times }, signal);
  while ((await host.list(listRoutes)).find(({ dst }) => dst === BEYOND)?.nextHops?.length !== count)
    await delay(100, undefined, { signal });
  // Any time between two messages that the peer is alive is as good as another.
  await delay((Math.random() * (times.bfdSeconds ?? times.holdSeconds) * 1000) / 3, undefined, { signal });
  const moved = watch.routeTo(BEYOND, isBySecond);
  const startMs = performance.now();
  await applyAll(switches, [setLink({ name: CABLE, up: false })]);
  try {
    return (await abortable(moved, signal)) - startMs;
  } finally {
    await applyAll(switches, [setLink({ name: CABLE, up: true })]);
  }
}

function isBySecond({ gateway, nextHops }: KernelRoute): boolean {
  return nextHops === undefined && gateway === ROUTERS.tor2;
}

using stop = stopSignals();
try {
  const samples = await run(Number(values.rounds), stop.signal);
  console.log(renderResults(samples));
  if (values.write) writeReport(samples);
} catch (error) {
  say(stop.exitCode === undefined ? describeFailure(error) : "interrupted");
  process.exitCode = stop.exitCode ?? 1;
}
