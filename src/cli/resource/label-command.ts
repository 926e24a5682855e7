// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { type ChangeOptions, changeResource } from "../../datastore/resources.ts";
import { type StoredResource, readResource } from "../../datastore/stored-resource.ts";
import type { Store } from "../../datastore/store.ts";
import { type JsonObject, memberAt } from "../../model/json.ts";
import type { ResourceId } from "../../model/keys.ts";
import { mergePatch } from "../../model/merge-patch.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { openCommandStore } from "../store.ts";
import { type Outcome, carryOut } from "./carry-out.ts";
import { parseKind } from "./kind-names.ts";
import { type WriteOptions, addNamespaceOption, addWriteOptions } from "./options.ts";
import { parseId } from "./target.ts";

interface LabelOptions extends WriteOptions {
  readonly namespace?: string;
  readonly overwrite?: boolean;
}

/** Labels to set; `null` removes one. */
export type LabelChange = Readonly<Record<string, string | null>>;

export function createLabelCommand(context: CommandContext): Command {
  const command = addNamespaceOption(
    new Command("label")
      .description("set and remove labels of a resource")
      .argument("<kind>", "kind of resource")
      .argument("<name>", "its name")
      .argument("<label...>", "KEY=VALUE sets a label, KEY- removes it")
      .option("--overwrite", "give labels that are there another value"),
  );
  return addWriteOptions(command).action(
    async (kind: string, name: string, labels: readonly string[], options: LabelOptions) => {
      const id = parseId(parseKind(kind), name, options.namespace);
      const change = parseLabels(labels);
      await using store = openCommandStore(options);
      const run = (how: ChangeOptions) =>
        label(store, id, change, { ...how, overwrite: options.overwrite === true });
      await carryOut(context, [{ id, run }], options);
    },
  );
}

async function label(
  store: Store,
  id: ResourceId,
  labels: LabelChange,
  { overwrite, ...options }: ChangeOptions & { readonly overwrite: boolean },
): Promise<Outcome> {
  for (;;) {
    const stored = await readResource(store, id, options);
    if (stored === undefined) return { kind: "absent" };
    const taken = overwrite ? [] : takenLabels(stored, labels);
    if (taken.length > 0) {
      const keys = taken.map((key) => JSON.stringify(key)).join(", ");
      return { kind: "inUse", message: `it has another value for label ${keys}; --overwrite replaces it` };
    }
    // At the revision that was looked at, so that a label that came meanwhile is looked at, too.
    const seen = { resourceVersion: String(stored.entry.revision) };
    const outcome = await changeResource(store, id, (before) => withLabels(before, labels), {
      ...options,
      seen,
    });
    if (outcome.kind !== "stale") return outcome;
  }
}

function takenLabels({ json }: StoredResource, labels: LabelChange): readonly string[] {
  return Object.keys(labels).filter((key) => {
    const current = memberAt(json, "metadata", "labels", key);
    return labels[key] !== null && current !== undefined && current !== labels[key];
  });
}

/** To remove what is not there changes nothing. */
function withLabels(before: JsonObject, labels: LabelChange): unknown {
  const isThere = (key: string): boolean => memberAt(before, "metadata", "labels", key) !== undefined;
  const effective = Object.entries(labels).filter(([key, value]) => value !== null || isThere(key));
  return effective.length === 0
    ? before
    : mergePatch(before, { metadata: { labels: Object.fromEntries(effective) } });
}

/** Throws {@link CommandError} for what is no label, and for two words on one. */
export function parseLabels(words: readonly string[]): LabelChange {
  const labels = words.map(parseLabel);
  const keys = labels.map(([key]) => key);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new CommandError("invalid", `Label ${JSON.stringify(twice)} is given twice`);
  return Object.fromEntries(labels);
}

function parseLabel(word: string): readonly [string, string | null] {
  const at = word.indexOf("=");
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  if (at === -1 && word.endsWith("-") && word.length > 1) return [word.slice(0, -1), null];
  throw new CommandError(
    "invalid",
    `${JSON.stringify(word)} is no label: want KEY=VALUE, or KEY- to remove one`,
  );
}
