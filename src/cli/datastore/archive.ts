// SPDX-License-Identifier: Apache-2.0
import type { Entry } from "../../datastore/store.ts";
import { calicoKey } from "../../model/calico-kinds.ts";
import { parseExactJson } from "../../model/exact-json.ts";
import { parseAffinity } from "../../model/ipam-affinity.ts";
import { parseBlock } from "../../model/ipam-block.ts";
import { parseHandle } from "../../model/ipam-handle.ts";
import { type JsonObject, isJsonObject } from "../../model/json.ts";
import { IPAM_CONFIG_KEY, ROOT, parseAffinityKey, parseBlockKey, parseHandleKey } from "../../model/keys.ts";
import { type Parsed, formatIssues, isKind, parseStoredResource } from "../../model/resource.ts";

/** The parts of an archive; IPAM's have the names that calicoctl gives them. */
export type Part = "resources" | "block_affinities" | "blocks" | "handles" | "config" | "entries";

/** What separates the resources, Calico's ClusterInformation, and IPAM. */
export const SEPARATOR = "===";

/** A value of an archive, with the key that it belongs to. */
export interface ArchivedValue {
  readonly part: Part;
  readonly key: string;
  /** JSON, or in `entries` the stored text itself. */
  readonly value: unknown;
}

/** Reports that Calico's agents write with a short life; they come anew by themselves. */
const REPORTS = `${ROOT}felix/`;

export function isReport(key: string): boolean {
  return key.startsWith(REPORTS);
}

/** Sorts a stored entry into its part. What cannot be read as what its key says is kept as the text that it is. */
export function archiveEntry({ key, value: text }: Pick<Entry, "key" | "value">): ArchivedValue {
  const value = parseOrNothing(text);
  const part = isJsonObject(value) ? partOf(key, value, text) : undefined;
  return part === undefined ? { part: "entries", key, value: text } : { part, key, value };
}

function partOf(key: string, value: JsonObject, text: string): Part | undefined {
  if (calicoKey(value) === key) return isSound(value) ? "resources" : undefined;
  if (key === IPAM_CONFIG_KEY) return "config";
  return IPAM_PARTS.find((part) => ipamFault(part, key, text) === undefined);
}

function isSound(resource: JsonObject): boolean {
  const { kind } = resource;
  return typeof kind !== "string" || !isKind(kind) || parseStoredResource(kind, resource).kind === "ok";
}

export const IPAM_PARTS = ["handles", "blocks", "block_affinities"] as const;
export type IpamPart = (typeof IPAM_PARTS)[number];

/** Why the text cannot stand under the key as that part of IPAM; `undefined` where it can. */
export function ipamFault(part: IpamPart, key: string, text: string): string | undefined {
  const parsed = parsePart(part, key, text);
  if (parsed === undefined) return `${JSON.stringify(key)} is not the key of one`;
  return parsed.kind === "ok" ? undefined : formatIssues(parsed.issues);
}

function parsePart(part: IpamPart, key: string, text: string): Parsed<unknown> | undefined {
  switch (part) {
    case "handles":
      return parseHandleKey(key) === undefined ? undefined : parseHandle(text);
    case "block_affinities":
      return parseAffinityKey(key) === undefined ? undefined : parseAffinity(text);
    case "blocks":
      return parseBlockAt(key, text);
  }
}

function parseBlockAt(key: string, text: string): Parsed<unknown> | undefined {
  const cidr = parseBlockKey(key);
  if (cidr === undefined) return undefined;
  const parsed = parseBlock(text);
  if (parsed.kind !== "ok" || parsed.value.cidr === cidr) return parsed;
  const issue = { code: "conflict", path: "cidr", message: `it is not "${cidr}", as the key says` } as const;
  return { kind: "invalid", issues: [issue] };
}

function parseOrNothing(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}
