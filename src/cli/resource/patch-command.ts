// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { LineCounter, parseDocument } from "yaml";
import { type ChangeOptions, changeResource } from "../../datastore/resources.ts";
import { type JsonObject, isJsonObject, memberAt } from "../../model/json.ts";
import { mergePatch } from "../../model/merge-patch.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { openCommandStore } from "../store.ts";
import { carryOut } from "./carry-out.ts";
import { parseKind } from "./kind-names.ts";
import { type WriteOptions, addNamespaceOption, addWriteOptions } from "./options.ts";
import { reviewPools } from "./pool-review.ts";
import { parseId } from "./target.ts";

interface PatchOptions extends WriteOptions {
  readonly patch: string;
  readonly namespace?: string;
}

export function createPatchCommand(context: CommandContext): Command {
  const command = addNamespaceOption(
    new Command("patch")
      .description("change some fields of a resource; what the patch does not name stays")
      .argument("<kind>", "kind of resource")
      .argument("<name>", "its name")
      .requiredOption(
        "-p, --patch <patch>",
        "JSON merge patch (RFC 7396), in JSON or YAML; null removes a field",
      ),
  );
  return addWriteOptions(command).action(async (kind: string, name: string, options: PatchOptions) => {
    const id = parseId(parseKind(kind), name, options.namespace);
    const { patch, resourceVersion } = parsePatch(options.patch);
    await using store = openCommandStore(options);
    const review = reviewPools(store, [], { signal: context.signal });
    const seen = { resourceVersion };
    const run = (change: ChangeOptions) =>
      changeResource(store, id, (before) => mergePatch(before, patch), { ...change, review, seen });
    await carryOut(context, [{ id, run }], options);
  });
}

interface Patch {
  readonly patch: JsonObject;
  /** The version that the person has seen; it is compared, and never stored. */
  readonly resourceVersion: string | undefined;
}

/** Throws {@link CommandError} for what is no patch. */
export function parsePatch(text: string): Patch {
  const document = parseDocument(text, { lineCounter: new LineCounter() });
  const [error] = document.errors;
  if (error !== undefined)
    throw new CommandError("invalid", `The patch is neither JSON nor YAML: ${error.message}`);
  const patch: unknown = document.toJS();
  if (!isJsonObject(patch)) throw new CommandError("invalid", "The patch is no object");
  const version = memberAt(patch, "metadata", "resourceVersion");
  if (version === undefined) return { patch, resourceVersion: undefined };
  if (typeof version !== "string")
    throw new CommandError("invalid", "metadata.resourceVersion: want a string");
  const { resourceVersion, ...metadata } = patch["metadata"] as JsonObject;
  return { patch: { ...patch, metadata }, resourceVersion: version };
}
