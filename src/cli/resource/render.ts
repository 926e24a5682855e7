// SPDX-License-Identifier: Apache-2.0
import { stringify } from "yaml";
import type { StoredResource } from "../../datastore/stored-resource.ts";
import { type JsonObject, isJsonObject } from "../../model/json.ts";
import { API_VERSION, type Kind, formatIssues } from "../../model/resource.ts";
import { renderTable } from "../table.ts";
import { cellText, columnsOf } from "./columns.ts";
import { describeResource } from "./describe.ts";

export const FORMATS = ["table", "ps", "wide", "name", "yaml", "json"] as const;
export type Format = (typeof FORMATS)[number];

export function isTable(format: Format): boolean {
  return format === "table" || format === "ps" || format === "wide";
}

export interface RenderOptions {
  /** Of all of them; `undefined` where they are of several, which no table shows. */
  readonly kind: Kind | undefined;
  readonly format: Format;
  /** One resource that was asked for by its name, and not a list. */
  readonly isSingle?: boolean;
  /** A table tells of each which namespace it is in. */
  readonly withNamespace?: boolean;
}

/** Resources as a person asked to see them. */
export function renderResources(resources: readonly JsonObject[], options: RenderOptions): string {
  const { kind, format, isSingle = false } = options;
  switch (format) {
    case "table":
    case "ps":
    case "wide":
      return renderTable(tableOf(resources, options));
    case "name":
      return resources.map(nameLine).join("\n");
    case "yaml":
      return renderYaml(documentOf(resources, kind, isSingle)).trimEnd();
    case "json":
      return JSON.stringify(documentOf(resources, kind, isSingle), undefined, 2);
  }
}

/** YAML that parsers of version 1.1, as Calico's is, read alike: `"yes"` stays a text. */
export function renderYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, compat: "yaml-1.1", aliasDuplicateObjects: false });
}

function documentOf(resources: readonly JsonObject[], kind: Kind | undefined, isSingle: boolean): unknown {
  const [first] = resources;
  if (isSingle && first !== undefined) return first;
  return { apiVersion: API_VERSION, kind: `${kind ?? ""}List`, items: resources };
}

/** The rows of a table, its titles first. */
export function tableOf(
  resources: readonly JsonObject[],
  { kind, format, withNamespace = false }: RenderOptions,
): readonly (readonly string[])[] {
  const columns =
    kind === undefined ? [] : columnsOf(kind, { wide: format === "wide", namespace: withNamespace });
  const rows = resources.map((resource) => columns.map((column) => cellText(column, resource)));
  return [columns.map(({ title }) => title), ...rows];
}

function nameLine({ kind, metadata }: JsonObject): string {
  const name = isJsonObject(metadata) ? metadata["name"] : undefined;
  return `${String(kind).toLowerCase()}/${typeof name === "string" ? name : ""}`;
}

/** A stored resource as it is shown: with its defaults and its version, without fields that are not known here. */
export function shownResource({ id, json, entry, parsed }: StoredResource): JsonObject {
  const known: JsonObject = parsed.kind === "ok" ? { ...parsed.value } : isJsonObject(json) ? json : {};
  const metadata = isJsonObject(known["metadata"]) ? known["metadata"] : { name: id.name };
  return { ...known, metadata: { ...metadata, resourceVersion: String(entry.revision) } };
}

/** Without what ties it to this cluster, to be stored in another one. */
export function exportedResource(resource: JsonObject): JsonObject {
  const { status, metadata, ...rest } = resource;
  const { resourceVersion, uid, creationTimestamp, ...kept } = isJsonObject(metadata) ? metadata : {};
  const { apiVersion, kind, ...others } = rest;
  return { apiVersion, kind, metadata: kept, ...others };
}

/** What a person has to know of a stored resource beside what is shown. */
export function noteOn({ id, parsed }: StoredResource): string | undefined {
  const what = describeResource(id);
  if (parsed.kind === "invalid")
    return `${what} cannot be used, and is shown as it is stored: ${formatIssues(parsed.issues)}`;
  if (parsed.ignored.length === 0) return undefined;
  const fields = parsed.ignored.map(({ path }) => path).join(", ");
  return `${what} has fields that this version does not know, kept but not shown: ${fields}`;
}
