// SPDX-License-Identifier: Apache-2.0
import { readdir } from "node:fs/promises";
import type { ProcessRunner } from "../system/process.ts";
import { LabError } from "./error.ts";
import { type Layout, NETNS_DIRECTORY } from "./layout.ts";
import { hasCode } from "../system/error-code.ts";

/** The names of the lab's network namespaces, whoever made them. */
export async function listNamespaces({ namespacePrefix }: Layout): Promise<readonly string[]> {
  try {
    const names = await readdir(NETNS_DIRECTORY);
    return names.filter((name) => name.startsWith(namespacePrefix)).sort();
  } catch (error) {
    // iproute2 makes the folder for the first namespace.
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

/** Makes those that are not there yet. */
export async function createNamespaces(
  processes: ProcessRunner,
  layout: Layout,
  names: readonly string[],
): Promise<void> {
  const present = new Set(await listNamespaces(layout));
  const missing = names.filter((name) => !present.has(name));
  await changeNamespaces(processes, "add", missing);
}

/** Takes the names away; a namespace ends once no process is in it any more. */
export async function deleteNamespaces(processes: ProcessRunner, names: readonly string[]): Promise<void> {
  await changeNamespaces(processes, "delete", names);
}

/** iproute2 knows how namespaces are mounted so that every mount namespace sees them; one process serves any number. */
async function changeNamespaces(
  processes: ProcessRunner,
  action: "add" | "delete",
  names: readonly string[],
): Promise<void> {
  if (names.length === 0) return;
  const input = names.map((name) => `netns ${action} ${name}\n`).join("");
  const { code, stderr } = await processes.run("ip", ["-force", "-batch", "-"], { input });
  if (code === 0) return;
  throw new LabError(
    "failed",
    `Cannot ${action} network namespaces: ${stderr.trim() || `ip ended with ${code}`}`,
  );
}
