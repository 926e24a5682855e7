// SPDX-License-Identifier: Apache-2.0
import { Command, Option } from "commander";
import { type StoredResource, listResources, readResource } from "../../datastore/stored-resource.ts";
import type { Store } from "../../datastore/store.ts";
import { isNamespaced } from "../../model/keys.ts";
import type { Kind } from "../../model/resource.ts";
import type { CommandContext } from "../context.ts";
import { CommandError, EXIT } from "../exit.ts";
import { addStoreOptions, openCommandStore } from "../store.ts";
import { describeResource } from "./describe.ts";
import { parseKind } from "./kind-names.ts";
import { type GetOptions, addFileOption, addNamespaceOption, namespaceOf } from "./options.ts";
import { FORMATS, exportedResource, isTable, noteOn, renderResources, shownResource } from "./render.ts";
import { type Target, readTargets } from "./target.ts";
import { watchResources } from "./watch.ts";

export function createGetCommand(context: CommandContext): Command {
  const command = new Command("get")
    .description("show resources of a kind, those of the given names, or those that files name")
    .argument("[kind]", "kind of resource")
    .argument("[names...]", "names; all of the kind without any")
    .addOption(new Option("-o, --output <format>", "how").choices(FORMATS).default("table"))
    .option("-A, --all-namespaces", "whatever namespace they are in")
    .option("--export", "leave out what belongs to this cluster: uid, times, version, status")
    .option("-w, --watch", "go on showing them as they change, until Ctrl-C");
  addNamespaceOption(addFileOption(command));
  return addStoreOptions(command).action(
    async (kind: string | undefined, names: readonly string[], options: GetOptions) => {
      const targets = await readTargets(kind, names, options);
      await using store = openCommandStore(options);
      if (options.watch === true) await watchResources(context, store, oneKind(kind, targets), options);
      else if (targets.length > 0) await showTargets(context, store, targets, options);
      else await showAll(context, store, oneKind(kind, targets), options);
    },
  );
}

function oneKind(kind: string | undefined, targets: readonly Target[]): Kind {
  if (kind !== undefined && targets.length === 0) return parseKind(kind);
  throw new CommandError("invalid", "Want a kind, without names and files");
}

async function showAll(
  { signal }: CommandContext,
  store: Store,
  kind: Kind,
  options: GetOptions,
): Promise<void> {
  const namespace = namespaceOf(kind, options);
  show(await listResources(store, kind, { namespace, signal }), kind, options, false);
}

async function showTargets(
  { signal, exitWith }: CommandContext,
  store: Store,
  targets: readonly Target[],
  options: GetOptions,
): Promise<void> {
  const found: StoredResource[] = [];
  for (const { id } of targets) {
    const resource = await readResource(store, id, { signal });
    if (resource !== undefined) found.push(resource);
    else {
      process.stderr.write(`margay: ${describeResource(id)}: there is none\n`);
      exitWith(EXIT.absent);
    }
  }
  // Tables are of one kind each; YAML and JSON are one document, whatever is in it.
  if (isTable(options.output) || found.length < 2)
    for (const [kind, resources] of Map.groupBy(found, ({ id }) => id.kind))
      show(resources, kind, options, targets.length === 1);
  else show(found, commonKind(found), options, false);
}

function commonKind(resources: readonly StoredResource[]): Kind | undefined {
  const [kind, ...others] = new Set(resources.map(({ id }) => id.kind));
  return others.length === 0 ? kind : undefined;
}

function show(
  resources: readonly StoredResource[],
  kind: Kind | undefined,
  options: GetOptions,
  isSingle: boolean,
): void {
  const { output: format, allNamespaces = false } = options;
  const shown = resources
    .map(shownResource)
    .map((one) => (options.export === true ? exportedResource(one) : one));
  const withNamespace = allNamespaces && kind !== undefined && isNamespaced(kind);
  const text = renderResources(shown, { kind, format, isSingle, withNamespace });
  if (text !== "") process.stdout.write(`${text}\n`);
  for (const note of resources.map(noteOn)) if (note !== undefined) process.stderr.write(`margay: ${note}\n`);
}
