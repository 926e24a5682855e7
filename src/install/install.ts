// SPDX-License-Identifier: Apache-2.0
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { NodeName } from "../model/name.ts";
import type { ProcessRunner } from "../system/process.ts";
import { findChain } from "./chain.ts";
import { makeDirectories, missingDirectories, placeFile } from "./files.ts";
import { fingerprintOf, wantedFingerprint } from "./fingerprint.ts";
import { type LayoutOptions, nodeFiles } from "./layout.ts";
import type { NodeFile } from "./node-file.ts";
import { type PathState, type Step, planPath } from "./plan.ts";
import {
  type InstallRecord,
  RECORD,
  type RecordedFile,
  leftState,
  readRecord,
  renderRecord,
} from "./record.ts";

export interface InstallOptions extends LayoutOptions {
  /** The node's file system; "/" for this machine. */
  readonly root: string;
  readonly nodeName: NodeName;
  /** Plugins after ours, by their names. */
  readonly chain: readonly string[];
  /** The plugin's executable, in this package. */
  readonly plugin: string;
  /** Also replaces what somebody else has written, or has changed since; never the agent's configuration. */
  readonly overwrite: boolean;
  /** Only tells what would be done. */
  readonly dryRun: boolean;
}

export interface InstallTools {
  readonly processes: ProcessRunner;
  readonly signal: AbortSignal;
}

/**
 * Writes what makes a machine a node, and takes away what an earlier installation had besides. May be repeated, also after it was cut short: what
 * is as it should be is left alone, and what others changed is kept and told.
 */
export async function installNode(
  options: InstallOptions,
  { processes, signal }: InstallTools,
): Promise<readonly Step[]> {
  const { root, cniBinDirectory, plugin, nodeName } = options;
  const record = await readRecord(root);
  const chain = await findChain(options.chain, { root, binDirectory: cniBinDirectory, processes, signal });
  const files = nodeFiles(options, plugin, nodeName, chain);
  const states = await readStates(root, files, record);
  const steps = states.map((state) => planPath(state, options));
  if (options.dryRun) return steps;
  const changes = new Map(steps.map((step) => [step.path, step.kind]));
  const missing = [...files.map(({ path }) => path), RECORD].flatMap((path) =>
    missingDirectories(root, path),
  );
  const directories = [...new Set([...(record?.directories ?? []), ...missing])];
  await makeDirectories(root, directories);
  // What is about to be written is recorded first, beside what is there: whatever a crash leaves is known as ours.
  await writeRecord(root, options, states.map(recordBefore), directories);
  for (const file of files) {
    if (changes.get(file.path) === "write") await placeFile(root, file);
    signal.throwIfAborted();
  }
  for (const { path, kind } of steps) if (kind === "remove") await rm(join(root, path));
  const after = states
    .filter(({ wanted }) => wanted !== undefined)
    .map((state) => recordAfter(state, changes.get(state.path)));
  await writeRecord(root, options, after, directories);
  return steps;
}

/** Of all files that are wanted, then of those that an earlier installation wrote besides. */
async function readStates(
  root: string,
  files: readonly NodeFile[],
  record: InstallRecord | undefined,
): Promise<readonly PathState[]> {
  const recorded = new Map(record?.files.map((file) => [file.path, file]));
  const wanted = files.map(async (file) => ({
    path: file.path,
    present: await fingerprintOf(join(root, file.path)),
    wanted: await wantedFingerprint(file),
    recorded: recorded.get(file.path)?.fingerprints ?? [],
    isOperators: file.kind === "first",
  }));
  const paths = new Set(files.map(({ path }) => path));
  const others = [...recorded.values()].filter(({ path }) => !paths.has(path));
  const unwanted = others.map((file) => leftState(root, file));
  return await Promise.all([...wanted, ...unwanted]);
}

function recordBefore({ path, wanted, recorded, isOperators }: PathState): RecordedFile {
  const fingerprints = new Set([...recorded, ...(wanted === undefined ? [] : [wanted])]);
  return { path, fingerprints: [...fingerprints], isOperators };
}

function recordAfter(
  { path, wanted, recorded, isOperators }: PathState,
  kind: Step["kind"] | undefined,
): RecordedFile {
  const isWritten = wanted !== undefined && kind !== "keep";
  return { path, fingerprints: isWritten ? [wanted] : [...recorded], isOperators };
}

async function writeRecord(
  root: string,
  { cniBinDirectory, cniConfigDirectory, chain }: InstallOptions,
  files: readonly RecordedFile[],
  directories: readonly string[],
): Promise<void> {
  const options = { cniBinDirectory, cniConfigDirectory, chain: [...chain] };
  const record = {
    options,
    files: files.filter(({ fingerprints }) => fingerprints.length > 0),
    directories: [...directories],
  };
  await placeFile(root, { kind: "text", path: RECORD, text: renderRecord(record) });
}
