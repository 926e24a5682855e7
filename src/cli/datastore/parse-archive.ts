// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { calicoKey } from "../../model/calico-kinds.ts";
import { parseExactJson, renderExactJson } from "../../model/exact-json.ts";
import { type JsonObject, isJsonObject, memberAt } from "../../model/json.ts";
import { IPAM_CONFIG_KEY, ROOT } from "../../model/keys.ts";
import { type Issue, formatIssues, isKind, parseStoredResource, parseWith } from "../../model/resource.ts";
import { type Item, readItems } from "../resource/document.ts";
import { formatPlace } from "../resource/place.ts";
import { IPAM_PARTS, type IpamPart, type Part, SEPARATOR, ipamFault } from "./archive.ts";

/** A value to store. */
export interface Restored {
  readonly part: Part;
  readonly key: string;
  /** The text to store. */
  readonly text: string;
  /** How messages name it: `IPPool "a"`, `/calico/ipam/…`. */
  readonly what: string;
  /** Of a resource. */
  readonly kind?: string;
}

export interface ParsedArchive {
  readonly values: readonly Restored[];
  /** Everything that keeps the archive from being taken, each with its place. */
  readonly faults: readonly string[];
  /** What is taken as it is, and not known here. */
  readonly notes: readonly string[];
}

/** Reads an archive, or manifests alone. */
export function parseArchive(source: string, text: string): ParsedArchive {
  const sections = splitSections(text);
  // The last of several is IPAM; what is before it are resources.
  const last = sections.length > 1 ? sections.at(-1) : undefined;
  const resources = last === undefined ? sections : sections.slice(0, -1);
  const parts = resources.filter(hasText).map((section) => parseResources(source, section));
  const ipam = last === undefined || !hasText(last) ? [] : [parseIpam(source, last)];
  const all = merge([...parts, ...ipam]);
  return { ...all, faults: [...all.faults, ...repetitions(all.values)] };
}

function repetitions(values: readonly Restored[]): readonly string[] {
  const seen = new Set<string>();
  // A set that does not grow has the key already.
  const twice = values.filter(({ key }) => seen.size === seen.add(key).size);
  return twice.map(({ what }) => `${what} is there twice`);
}

interface Section {
  readonly text: string;
  /** How many lines are before it. */
  readonly offset: number;
}

function splitSections(text: string): readonly Section[] {
  const sections: Section[] = [];
  let lines: string[] = [];
  let offset = 0;
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trimEnd() !== SEPARATOR) {
      lines.push(line);
      continue;
    }
    sections.push({ text: lines.join("\n"), offset });
    lines = [];
    offset = index + 1;
  }
  return [...sections, { text: lines.join("\n"), offset }];
}

function hasText({ text }: Section): boolean {
  return text.replaceAll("---", "").trim() !== "";
}

function merge(parts: readonly ParsedArchive[]): ParsedArchive {
  return {
    values: parts.flatMap(({ values }) => values),
    faults: parts.flatMap(({ faults }) => faults),
    notes: parts.flatMap(({ notes }) => notes),
  };
}

function parseResources(source: string, { text, offset }: Section): ParsedArchive {
  // Empty lines in the place of those before make the parser's line numbers those of the file.
  const { items, faults } = readItems(source, "\n".repeat(offset) + text, { exactIntegers: true });
  const rest = faults.map(({ place, message }) => `${formatPlace(place)}: ${message}`);
  return merge([{ values: [], faults: rest, notes: [] }, ...items.map(parseResource)]);
}

function parseResource({ value, placeOf }: Item): ParsedArchive {
  const fault = (path: string, message: string): ParsedArchive => ({
    values: [],
    faults: [`${formatPlace(placeOf(path))}: ${message}`],
    notes: [],
  });
  if (!isJsonObject(value)) return fault("", "want a resource: an object with apiVersion, kind and metadata");
  const { kind } = value;
  const what = `${typeof kind === "string" ? kind : "resource"} ${nameOf(value)}`;
  const key = calicoKey(value);
  if (key === undefined || typeof kind !== "string")
    return fault("kind", `${what} is none of Calico's kinds with a name that it can have`);
  const text = renderExactJson(withoutVersion(value));
  const values = [{ part: "resources" as const, key, text, what, kind }];
  if (!isKind(kind)) return { values, faults: [], notes: [`${what} is kept; nothing here goes by it`] };
  const stored = parseStoredResource(kind, JSON.parse(text));
  const tell = (issue: Issue): string =>
    `${formatPlace(placeOf(issue.path))}: ${what}: ${formatIssues([issue])}`;
  if (stored.kind === "invalid") return { values: [], faults: stored.issues.map(tell), notes: [] };
  return { values, faults: [], notes: stored.ignored.map((issue) => `${tell(issue)}; it is kept`) };
}

function nameOf(value: JsonObject): string {
  const [namespace, name] = ["namespace", "name"].map((field) => memberAt(value, "metadata", field));
  return JSON.stringify([namespace, name].filter((part) => typeof part === "string").join("/"));
}

/** It is the revision of the store that the resource comes from. */
function withoutVersion(value: JsonObject): JsonObject {
  const { metadata } = value;
  if (!isJsonObject(metadata)) return value;
  const { resourceVersion, ...kept } = metadata;
  return { ...value, metadata: kept };
}

const member = z.strictObject({
  Key: z.string().startsWith(ROOT),
  Value: z.unknown(),
  /** What Calico says of keys without a lease. */
  TTL: z.literal(0).optional(),
});
const members = z.array(member).default([]);
const ipamSchema = z.strictObject({
  block_affinities: members,
  blocks: members,
  handles: members,
  config: member.optional(),
  entries: z.array(z.strictObject({ Key: z.string().startsWith(ROOT), Value: z.string() })).default([]),
});

function parseIpam(source: string, { text, offset }: Section): ParsedArchive {
  const where = `${source}: IPAM, from line ${offset + 1}`;
  const fault = (message: string): ParsedArchive => ({
    values: [],
    faults: [`${where}: ${message}`],
    notes: [],
  });
  let json: unknown;
  try {
    json = parseExactJson(text);
  } catch (error) {
    return fault(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = parseWith(ipamSchema, json);
  if (parsed.kind === "invalid") return merge(parsed.issues.map((issue) => fault(formatIssues([issue]))));
  const { config, entries, ...lists } = parsed.value;
  const checked = IPAM_PARTS.flatMap((part) =>
    lists[part].map((one, index) => parseMember(part, one, `${where}: ${part}[${index}]`)),
  );
  const settings =
    config === undefined ? [] : [restore("config", IPAM_CONFIG_KEY, renderExactJson(config.Value))];
  const others = entries.map(({ Key, Value }) => restore("entries", Key, Value));
  return merge([...checked, ...settings, ...others]);
}

function parseMember(part: IpamPart, { Key, Value }: z.output<typeof member>, where: string): ParsedArchive {
  const text = renderExactJson(Value) as string | undefined;
  const fault = text === undefined ? "Value: it is required" : ipamFault(part, Key, text);
  return fault === undefined
    ? restore(part, Key, text ?? "")
    : { values: [], faults: [`${where}: ${fault}`], notes: [] };
}

function restore(part: Part, key: string, text: string): ParsedArchive {
  return { values: [{ part, key, text, what: JSON.stringify(key) }], faults: [], notes: [] };
}
