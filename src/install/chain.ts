// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { SUPPORTED_VERSIONS } from "../cni/version.ts";
import type { ProcessRunner } from "../system/process.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** Where Debian's containernetworking-plugins keeps its programs, and most runtimes do not look. */
const DEBIAN_DIRECTORY = "/usr/lib/cni";

/** CNI specification, section 2, "VERSION". */
const answer = z.looseObject({ supportedVersions: z.array(z.string()) });

/** The plugins after ours. */
export interface Chain {
  readonly names: readonly string[];
  /** The latest version that all plugins of the list can speak. */
  readonly cniVersion: string;
  /** Plugins that have to be made known where the runtime looks. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

export interface ChainTools {
  readonly root: string;
  readonly binDirectory: string;
  readonly processes: ProcessRunner;
  readonly signal: AbortSignal;
}

/** Finds the plugins, and asks each for its versions. Throws where one is not there, or none of its versions is ours. */
export async function findChain(names: readonly string[], tools: ChainTools): Promise<Chain> {
  const links: { readonly path: string; readonly target: string }[] = [];
  let versions: readonly string[] = SUPPORTED_VERSIONS;
  for (const name of names) {
    const path = join(tools.binDirectory, name);
    const target = join(DEBIAN_DIRECTORY, name);
    const isLinked = await needsLink(path, target, tools);
    if (isLinked) links.push({ path, target });
    const supported = await askVersions(join(tools.root, isLinked ? target : path), tools);
    versions = versions.filter((version) => supported.includes(version));
  }
  const cniVersion = versions.at(-1);
  if (cniVersion === undefined)
    throw new Error(
      `Cannot chain ${names.join(", ")}: no version of CNI that all of them and Margay support`,
    );
  return { names, cniVersion, links };
}

/** Whether the runtime finds the plugin only by a link to Debian's. */
async function needsLink(path: string, target: string, { root, binDirectory }: ChainTools): Promise<boolean> {
  const present: Fingerprint | undefined = await fingerprintOf(join(root, path));
  if (present !== undefined && present !== `link:${target}`) return false;
  if (path !== target && existsSync(join(root, target))) return true;
  throw new Error(
    `Cannot chain "${path.slice(binDirectory.length + 1)}": it is neither in "${binDirectory}" nor in "${DEBIAN_DIRECTORY}"; ` +
      "install it (Debian: containernetworking-plugins), or leave it out (--no-chain)",
  );
}

async function askVersions(program: string, { processes, signal }: ChainTools): Promise<readonly string[]> {
  const { code, stdout, stderr } = await processes.run(program, [], {
    env: { CNI_COMMAND: "VERSION" },
    input: '{"cniVersion":"1.0.0"}',
    signal,
  });
  try {
    if (code === 0) return answer.parse(JSON.parse(stdout)).supportedVersions;
  } catch {
    // Told below, together with what it said.
  }
  throw new Error(`Cannot ask the plugin "${program}" for its versions: ${stdout.trim()}${stderr.trim()}`);
}
