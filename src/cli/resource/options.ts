// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { isNamespaced } from "../../model/keys.ts";
import type { Kind } from "../../model/resource.ts";
import { type StoreOptions, addStoreOptions } from "../store.ts";
import { DEFAULT_NAMESPACE } from "./manifest.ts";
import type { Format } from "./render.ts";

/** Options of the commands that change resources. */
export interface WriteOptions extends StoreOptions {
  readonly dryRun?: boolean;
}

/** Options of the commands that read files. */
export interface FileOptions {
  readonly filename: readonly string[];
  readonly namespace?: string;
}

export interface GetOptions extends StoreOptions, FileOptions {
  readonly output: Format;
  readonly allNamespaces?: boolean;
  readonly export?: boolean;
  readonly watch?: boolean;
}

/** The namespace to list; `undefined` for all, or where the kind knows none. */
export function namespaceOf(kind: Kind, { allNamespaces, namespace }: GetOptions): string | undefined {
  if (!isNamespaced(kind) || allNamespaces === true) return undefined;
  return namespace ?? DEFAULT_NAMESPACE;
}

export function addWriteOptions(command: Command): Command {
  return addStoreOptions(command).option("--dry-run", "say what would be done, and write nothing");
}

export function addFileOption(command: Command): Command {
  const collect = (file: string, files: readonly string[]): readonly string[] => [...files, file];
  return command.option(
    "-f, --filename <file>",
    "YAML or JSON, - for standard input; repeatable",
    collect,
    [],
  );
}

export function addNamespaceOption(command: Command): Command {
  return command.option("-n, --namespace <namespace>", "of resources that belong in one and name none");
}
