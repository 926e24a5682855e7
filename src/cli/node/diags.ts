// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, open, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { readAgent } from "../../agent/client.ts";
import { connectStore } from "../../datastore/client.ts";
import { ROOT } from "../../model/keys.ts";
import { describeError } from "../../system/log.ts";
import type { ProcessRunner } from "../../system/process.ts";
import { archiveEntry } from "../datastore/archive.ts";
import { renderArchive } from "../datastore/render-archive.ts";
import { readVersion } from "../../system/version.ts";
import { examine, ownPatient } from "../doctor/examine.ts";
import { renderReport } from "../doctor/render.ts";
import { readSecrets } from "./diags-secrets.ts";
import { AGENT_ANSWERS, JOURNAL, KERNEL_SOURCES, type Source, birdSources } from "./diags-sources.ts";
import { birdPasswords, redactBirdConfig, redactSecrets } from "./redact.ts";

export interface DiagsOptions {
  /** Where the agent listens. */
  readonly socket: string;
  /** The agent's state directory; of what is in it, logs and BIRD's configuration are taken, and nothing else. */
  readonly stateDirectory: string;
  /** The agent's configuration; it is taken, and names files with secrets. */
  readonly config: string;
  /** The file to write, a compressed tar archive. */
  readonly output: string;
}

interface DiagsTools {
  readonly processes: ProcessRunner;
  readonly signal: AbortSignal;
}

/** A file of the bundle. */
interface Part {
  readonly file: string;
  readonly text: string;
}

/** How much of the end of each log is taken, in bytes. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;

/** Writes what a report of a fault needs into one file. What cannot be had is told in its place; secrets are left out. */
export async function collectDiags(options: DiagsOptions, tools: DiagsTools): Promise<void> {
  const config = await readFile(birdConfig(options), "utf8").catch(() => "");
  const secrets = [...birdPasswords(config), ...(await readSecrets(options))];
  const directory = await mkdtemp(join(tmpdir(), "margay-diags-"));
  try {
    const bundle = basename(options.output).replace(/(\.tar)?\.(gz|tgz)$/, "") || "margay-diags";
    for (const { file, text } of await collect(options, tools)) {
      const path = join(directory, bundle, file);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(path, redactSecrets(text, secrets), { mode: 0o600 });
    }
    await pack(directory, bundle, options.output, tools);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function birdConfig({ stateDirectory }: DiagsOptions): string {
  return join(stateDirectory, "bird", "bird.conf");
}

async function collect(options: DiagsOptions, tools: DiagsTools): Promise<readonly Part[]> {
  const { stateDirectory } = options;
  const control = join(stateDirectory, "bird", "bird.ctl");
  const parts: Part[] = [{ file: "versions", text: `margay ${readVersion()}\nnode ${process.version}\n` }];
  for (const source of [...KERNEL_SOURCES, ...birdSources(control), JOURNAL])
    parts.push(await runSource(source, tools));
  for (const { file, path } of AGENT_ANSWERS)
    parts.push(await attempt(file, () => agentAnswer(path, options, tools)));
  parts.push(
    await attempt("doctor", () => doctorReport(options, tools)),
    await attempt("agent/agent.yaml", () => readFile(options.config, "utf8")),
    await attempt("agent/datastore.yaml", () => datastore(options, tools)),
    await attempt("bird/bird.conf", async () =>
      redactBirdConfig(await readFile(birdConfig(options), "utf8")),
    ),
  );
  for (const log of await logsIn(stateDirectory))
    parts.push(await attempt(`log/${basename(log)}`, () => readTail(log)));
  return parts;
}

/** What cannot be had is as telling as what can. */
async function attempt(file: string, read: () => Promise<string>): Promise<Part> {
  try {
    return { file, text: await read() };
  } catch (error) {
    return { file, text: `Cannot be had: ${describeError(error)}\n` };
  }
}

async function runSource({ file, command }: Source, { processes, signal }: DiagsTools): Promise<Part> {
  const [program = "", ...args] = command;
  const part = await attempt(file, async () => {
    const { code, stdout, stderr } = await processes.run(program, args, { signal });
    return `${stdout}${stderr}${code === 0 ? "" : `exit code ${code}\n`}`;
  });
  signal.throwIfAborted();
  return { file, text: `$ ${command.join(" ")}\n${part.text}` };
}

async function agentAnswer(path: string, { socket }: DiagsOptions, { signal }: DiagsTools): Promise<string> {
  const { body } = await readAgent(socket, path, { signal });
  return path === "/metrics" ? body : `${JSON.stringify(JSON.parse(body), undefined, 2)}\n`;
}

async function doctorReport(
  { socket, stateDirectory }: DiagsOptions,
  { signal }: DiagsTools,
): Promise<string> {
  return `${renderReport(await examine([ownPatient(socket, stateDirectory)], { signal }))}\n`;
}

async function datastore({ socket }: DiagsOptions, { signal }: DiagsTools): Promise<string> {
  await using store = connectStore({ socketPath: socket });
  return renderArchive((await store.list(ROOT, { signal })).entries.map(archiveEntry));
}

/** Files by their name's ending alone: what else is there, such as WireGuard's private key, is never opened. */
async function logsIn(stateDirectory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const directory of [stateDirectory, join(stateDirectory, "bird")]) {
    const names = await readdir(directory).catch(() => []);
    found.push(...names.filter((name) => name.endsWith(".log")).map((name) => join(directory, name)));
  }
  return found;
}

async function readTail(path: string): Promise<string> {
  await using file = await open(path);
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, MAX_LOG_BYTES));
  const { bytesRead } = await file.read({ buffer, position: size - buffer.length });
  return buffer.toString("utf8", 0, bytesRead);
}

/** The file is there whole, or not at all; only its owner may read it. */
async function pack(
  directory: string,
  bundle: string,
  output: string,
  { processes, signal }: DiagsTools,
): Promise<void> {
  const unfinished = `${output}.${process.pid}.tmp`;
  try {
    await writeFile(unfinished, "", { mode: 0o600 });
    const { code, stderr } = await processes.run("tar", ["-C", directory, "-czf", unfinished, bundle], {
      signal,
    });
    if (code !== 0) throw new Error(`Cannot write ${JSON.stringify(output)}: ${stderr.trim()}`);
    await rename(unfinished, output);
  } finally {
    await rm(unfinished, { force: true });
  }
}
