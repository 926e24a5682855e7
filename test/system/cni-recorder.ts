// SPDX-License-Identifier: Apache-2.0
// What a runtime really passes to Margay's plugin.
import { mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MARGAY_CNI } from "./harness.ts";

/** Where Debian's package `containernetworking-plugins` puts them. */
const REFERENCE_PLUGINS = "/usr/lib/cni";

export interface CniCall {
  /** The variables of the specification. */
  readonly environment: Readonly<Record<string, string>>;
  /** `CNI_ARGS`, sorted: some runtimes give them in another order each time. */
  readonly args: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
}

/** Puts the reference plugins, and Margay's behind a recorder, into a folder below `directory`; gives its path. */
export async function installRecorder(directory: string): Promise<string> {
  const [plugins, calls] = [join(directory, "plugins"), join(directory, "calls")];
  await mkdir(plugins);
  await mkdir(calls);
  for (const name of await readdir(REFERENCE_PLUGINS))
    await symlink(join(REFERENCE_PLUGINS, name), join(plugins, name));
  // Nothing of it may reach standard output, and the plugin's own answer and exit code go on as they are.
  const recorder = `#!/bin/sh
set -eu
input=$(cat)
call="${calls}/$(date +%s%N)-$$"
# A call that is seen is complete.
{ env | grep '^CNI_'; printf '\\n%s\\n' "$input"; } >"${directory}/call-$$"
mv "${directory}/call-$$" "$call"
printf %s "$input" | "${MARGAY_CNI}"
`;
  await writeFile(join(plugins, "margay-cni"), recorder, { mode: 0o755 });
  return plugins;
}

/** The calls so far, oldest first. */
export async function readCalls(directory: string): Promise<readonly CniCall[]> {
  const folder = join(directory, "calls");
  const names = (await readdir(folder)).sort();
  return Promise.all(names.map(async (name) => parseCall(await readFile(join(folder, name), "utf8"))));
}

function parseCall(text: string): CniCall {
  const [variables = "", config = ""] = text.split("\n\n");
  const environment = Object.fromEntries(
    variables.split("\n").map((line) => {
      const end = line.indexOf("=");
      return [line.slice(0, end), line.slice(end + 1)];
    }),
  );
  const args = (environment["CNI_ARGS"] ?? "").split(";").sort();
  return { environment, args, config: JSON.parse(config) as Readonly<Record<string, unknown>> };
}
