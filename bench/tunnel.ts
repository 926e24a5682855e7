// SPDX-License-Identifier: Apache-2.0
// What tunnels cost between containers on two hosts: each way in turn, again and again, with client and server on one core.
// npm run bench -- tunnel [--rounds 7] [--seconds 2.5] [--core 0] [--write]
import { parseArgs } from "node:util";
import { describeFailure } from "../src/cli/failure.ts";
import { stopSignals } from "../src/cli/signals.ts";
import { openLab } from "../src/lab/lab.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemProcesses } from "../src/system/process.ts";
import { LOAD_NAMES, type Load, type Window, measure, requirePrograms } from "./tunnel/load.ts";
import { type Results, renderResults, writeReport } from "./tunnel/report.ts";
import { type Site, WAY_NAMES, type Way, endsOf, netnsIdsOf, take } from "./tunnel/way.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2.5" },
    core: { type: "string", default: "0" },
    /** Puts tables and chart into docs/. */
    write: { type: "boolean", default: false },
  },
});
const [rounds, seconds, core] = [values.rounds, values.seconds, values.core].map(Number) as [
  number,
  number,
  number,
];

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function run(signal: AbortSignal): Promise<Results> {
  const quiet = { processes: systemProcesses, clock: systemClock, progress: (): void => undefined };
  const lab = openLab(quiet, "mbe");
  const id = await lab.up({ mustBeNew: true, signal });
  try {
    return await runRounds({ lab, status: await lab.status(), core, signal });
  } finally {
    // Asked to stop or not, nothing is left behind.
    await lab.down({ id, signal: new AbortController().signal });
  }
}

async function runRounds(site: Site): Promise<Results> {
  const kinds = new Map<Way, string | undefined>();
  const windows = new Map<Way, Map<Load, Window[]>>();
  for (let round = 1; round <= rounds; round++)
    for (const way of WAY_NAMES) {
      if (kinds.has(way) && kinds.get(way) === undefined) continue;
      const kind = await take(site, way);
      if (kind === undefined && round > 1)
        throw new Error(`Cannot go on with ${way}: it does not come into force any more`);
      kinds.set(way, kind);
      say(`round ${round} of ${rounds}: ${way} ${kind ?? "is not available"}`);
      if (kind !== undefined) await measureAll(site, way, windows);
    }
  return { kinds, windows, rounds, seconds };
}

async function measureAll(site: Site, way: Way, windows: Map<Way, Map<Load, Window[]>>): Promise<void> {
  const options = { core, ms: seconds * 1000, netnsIds: netnsIdsOf(site.status), signal: site.signal };
  const own = windows.get(way) ?? new Map<Load, Window[]>();
  windows.set(way, own);
  for (const load of LOAD_NAMES) {
    const window = await measure(load, endsOf(site, way), options);
    own.set(load, [...(own.get(load) ?? []), window]);
  }
}

using stop = stopSignals();
try {
  requirePrograms();
  const results = await run(stop.signal);
  console.log(renderResults(results));
  if (values.write) writeReport(results);
} catch (error) {
  say(stop.exitCode === undefined ? describeFailure(error) : "interrupted");
  process.exitCode = stop.exitCode ?? 1;
}
