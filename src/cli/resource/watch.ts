// SPDX-License-Identifier: Apache-2.0
import { follow } from "../../datastore/follow.ts";
import { type StoredResource, readStored } from "../../datastore/stored-resource.ts";
import type { Change, Entry, Store } from "../../datastore/store.ts";
import { isNamespaced, parseResourceKey, resourcePrefix } from "../../model/keys.ts";
import type { Kind } from "../../model/resource.ts";
import type { CommandContext } from "../context.ts";
import { columnWidths, renderRow } from "../table.ts";
import { describeResource } from "./describe.ts";
import { type GetOptions, namespaceOf } from "./options.ts";
import { type RenderOptions, isTable, renderResources, shownResource, tableOf } from "./render.ts";

/** Shows the resources, and then each change of them, until the signal aborts. */
export async function watchResources(
  { signal }: CommandContext,
  store: Store,
  kind: Kind,
  options: GetOptions,
): Promise<void> {
  const prefix = resourcePrefix(kind, namespaceOf(kind, options));
  // A store that cannot be reached at all is an error, and not a wait.
  await store.list(prefix, { signal });
  const withNamespace = options.allNamespaces === true && isNamespaced(kind);
  const printer = createPrinter({ kind, format: options.output, isSingle: true, withNamespace });
  for await (const event of follow(store, prefix, { signal })) {
    if (event.kind === "snapshot") printer.start(event.entries);
    else event.changes.forEach(printer.change);
  }
}

interface Printer {
  start(entries: readonly Entry[]): void;
  readonly change: (change: Change) => void;
}

function createPrinter(options: RenderOptions): Printer {
  let widths: readonly number[] = [];
  const printRow = (row: readonly string[]): void => {
    process.stdout.write(`${renderRow(row, widths)}\n`);
  };
  const print = (resource: StoredResource): void => {
    const shown = [shownResource(resource)];
    const [, row = []] = tableOf(shown, options);
    if (isTable(options.format)) printRow(row);
    // A separator makes a stream of documents of them.
    else
      process.stdout.write(`${options.format === "yaml" ? "---\n" : ""}${renderResources(shown, options)}\n`);
  };
  return {
    start(entries) {
      const resources = entries.flatMap((entry) => readStored(entry) ?? []);
      const rows = tableOf(resources.map(shownResource), options);
      widths = columnWidths(rows);
      if (isTable(options.format)) rows.forEach(printRow);
      else resources.forEach(print);
    },
    change(change) {
      const resource = change.kind === "put" ? readStored(change.entry) : undefined;
      const gone = change.kind === "delete" ? parseResourceKey(change.key) : undefined;
      if (resource !== undefined) print(resource);
      if (gone !== undefined) process.stderr.write(`margay: ${describeResource(gone)} deleted\n`);
    },
  };
}
