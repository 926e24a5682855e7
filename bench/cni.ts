// SPDX-License-Identifier: Apache-2.0
// What a container waits for at its start and at its end: whole processes of plugins in turn, by Margay and by the reference plugins.
// npm run bench -- cni [--rounds 20] [--existing 0,200] [--limit 250] [--write]
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeFailure } from "../src/cli/failure.ts";
import { stopSignals } from "../src/cli/signals.ts";
import { openLab } from "../src/lab/lab.ts";
import { createLayout } from "../src/lab/layout.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemProcesses } from "../src/system/process.ts";
import { type Contender, createContender, entriesOf } from "./cni/contender.ts";
import { type Results, renderResults, writeReport } from "./cni/report.ts";
import { type Case, type Filling, type Wave, fill, measureWaves } from "./cni/trial.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    rounds: { type: "string", default: "20" },
    /** Containers on the node before, in ascending order. */
    existing: { type: "string", default: "0,200" },
    /** Up to how many containers the node is filled in the end. */
    limit: { type: "string", default: "250" },
    /** Puts tables and chart into docs/. */
    write: { type: "boolean", default: false },
  },
});
const [rounds, limit] = [Number(values.rounds), Number(values.limit)];
const existing = values.existing.split(",").map(Number);
const LABS = {
  mbnembedded: new URL("cni/embedded.yaml", import.meta.url),
  mbnetcd: new URL("cni/etcd.yaml", import.meta.url),
};
/** Calls at a time, and how often a round has so many. */
const WAVES = [
  { parallel: 1, count: 4 },
  { parallel: 16, count: 1 },
] as const;
const MOST = Math.max(limit, Math.max(...existing) + Math.max(...WAVES.map(({ parallel }) => parallel)));

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function run(signal: AbortSignal): Promise<Results> {
  const build = fileURLToPath(new URL("../scripts/build", import.meta.url));
  const { code, stderr } = await systemProcesses.run(build, [], { signal });
  if (code !== 0) throw new Error(`Cannot build the plugin: ${stderr}`);
  await using stack = new AsyncDisposableStack();
  for (const [name, topology] of Object.entries(LABS)) await startLab(stack, name, topology, signal);
  const starter = await buildStarter(stack, signal);
  const contenders: Contender[] = [];
  for (const entry of entriesOf(createLayout("mbnembedded"), createLayout("mbnetcd")))
    contenders.push(stack.use(await createContender(entry, MOST, starter)));
  return await measure(contenders, signal);
}

async function buildStarter(stack: AsyncDisposableStack, signal: AbortSignal): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "margay-bench-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const [source, program] = [join(import.meta.dirname, "cni/starter.c"), join(directory, "starter")];
  const { code, stderr } = await systemProcesses.run("cc", ["-O2", "-o", program, source], { signal });
  if (code !== 0) throw new Error(`Cannot build "${source}": ${stderr}`);
  return program;
}

async function startLab(
  stack: AsyncDisposableStack,
  name: string,
  topology: URL,
  signal: AbortSignal,
): Promise<void> {
  const quiet = { processes: systemProcesses, clock: systemClock, progress: (): void => undefined };
  const lab = openLab(quiet, name);
  const id = await lab.up({ topologyFile: fileURLToPath(topology), mustBeNew: true, signal });
  // Asked to stop or not, nothing is left behind.
  stack.defer(async () => {
    await lab.down({ id, signal: new AbortController().signal });
  });
}

async function measure(contenders: readonly Contender[], signal: AbortSignal): Promise<Results> {
  const [loadBefore = NaN] = loadavg();
  const waves: Wave[] = [];
  const fillings: Filling[] = [];
  const fillTo = async (to: number): Promise<void> => {
    say(`filling to ${to} containers`);
    const from = fillings.length / contenders.length;
    fillings.push(...(await fill(contenders, { from, to, signal })));
  };
  for (const count of existing) {
    await fillTo(count);
    // What is done for the first time is not counted.
    for (let round = 0; round <= rounds; round++) {
      const measured = await measureRound(contenders, round, count, signal);
      if (round > 0) waves.push(...measured);
    }
  }
  await fillTo(limit);
  return { waves, fillings, rounds, limit, loadBefore, loadAfter: loadavg()[0] ?? NaN };
}

async function measureRound(
  contenders: readonly Contender[],
  round: number,
  existing: Case["existing"],
  signal: AbortSignal,
): Promise<readonly Wave[]> {
  say(`${existing} containers, round ${round} of ${rounds}`);
  const first = round % contenders.length;
  const order = [...contenders.slice(first), ...contenders.slice(0, first)];
  const waves: Wave[] = [];
  for (const { parallel, count } of WAVES)
    for (let number = 1; number <= count; number++)
      for (const contender of order)
        waves.push(...(await measureWaves(contender, { existing, parallel, round, signal })));
  return waves;
}

using stop = stopSignals();
try {
  const results = await run(stop.signal);
  console.log(renderResults(results));
  if (values.write) writeReport(results);
} catch (error) {
  say(stop.exitCode === undefined ? describeFailure(error) : "interrupted");
  process.exitCode = stop.exitCode ?? 1;
}
