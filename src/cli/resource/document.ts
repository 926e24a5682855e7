// SPDX-License-Identifier: Apache-2.0
import { type Document, LineCounter, isMap, parseAllDocuments } from "yaml";
import { isJsonObject } from "../../model/json.ts";
import { type Fault, type Place, lineOfPath } from "./place.ts";

/** A value that should be one resource. */
export interface Item {
  readonly place: Place;
  readonly value: unknown;
  /** The place of one of its fields. */
  readonly placeOf: (path: string) => Place;
}

/** What a text holds, and what is wrong with it as a text. */
export interface Items {
  readonly items: readonly Item[];
  readonly faults: readonly Fault[];
}

export interface ReadOptions {
  /** Integers beyond 2^53 as `bigint`, as `parseExactJson` gives them. */
  readonly exactIntegers?: boolean;
}

/** Reads YAML of one or several documents, or JSON; lists are taken apart into their items. */
export function readItems(source: string, text: string, { exactIntegers = false }: ReadOptions = {}): Items {
  const lines = new LineCounter();
  const options = { lineCounter: lines, prettyErrors: false, intAsBigInt: exactIntegers };
  const documents = parseAllDocuments(text, options);
  // An empty stream has no documents, but properties of its own instead.
  const all = Array.isArray(documents) ? documents : [];
  const parts = all.map((document, index) => readDocument(document, { source, document: index + 1 }, lines));
  const items = parts.flatMap((part) => part.items);
  const faults = parts.flatMap((part) => part.faults);
  if (items.length + faults.length > 0) return { items, faults };
  return { items, faults: [{ place: { source, document: 1 }, message: "there is no resource in it" }] };
}

function readDocument(document: Document, place: Place, lines: LineCounter): Items {
  const faults = document.errors.map(({ message, pos: [start] }) => ({
    place: { ...place, line: lines.linePos(start).line },
    message: `not YAML: ${message}`,
  }));
  if (faults.length > 0) return { items: [], faults };
  try {
    const value = withSafeNumbers(document.toJS());
    return value === null || value === undefined
      ? { items: [], faults: [] }
      : takeApart(value, document, place, lines);
  } catch (error) {
    // Aliases that grow beyond all measure.
    const message = error instanceof Error ? error.message : String(error);
    return { items: [], faults: [{ place, message: `not YAML: ${message}` }] };
  }
}

/** Integers that a number holds exactly, as numbers. */
function withSafeNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(withSafeNumbers);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withSafeNumbers(field)]));
}

/** Fields that a list may have; `metadata` is what Kubernetes says of a listing. */
const LIST_FIELDS = ["apiVersion", "kind", "metadata", "items"];

function takeApart(value: unknown, document: Document, place: Place, lines: LineCounter): Items {
  const { contents } = document;
  const placeOf =
    (at: Place, prefix: string) =>
    (path: string): Place => ({ ...at, line: lineOfPath(contents, prefix + path, lines) });
  if (!isListing(value)) {
    const whole = placeOf(place, "");
    return { items: [{ place: whole(""), value, placeOf: whole }], faults: [] };
  }
  const { items, ...rest } = value;
  const unknown = Object.keys(rest).filter((name) => !LIST_FIELDS.includes(name));
  const faults = unknown.map((name) => ({
    place: placeOf(place, "")(name),
    message: `${name}: there is no field ${JSON.stringify(name)} in a list`,
  }));
  if (!Array.isArray(items)) {
    const message = "items: want a list of resources";
    return { items: [], faults: [...faults, { place: placeOf(place, "")("items"), message }] };
  }
  const inside = items.map((item: unknown, index) => {
    const itemPlace = placeOf({ ...place, item: index + 1 }, `items[${index}].`);
    const line = isMap(contents) ? lineOfPath(contents, `items[${index}]`, lines) : undefined;
    return { place: { ...place, item: index + 1, line }, value: item, placeOf: itemPlace };
  });
  return { items: inside, faults };
}

/** `List`, or the list of a kind as calicoctl and Kubernetes write it. */
function isListing(value: unknown): value is { readonly [name: string]: unknown; readonly items: unknown } {
  return isJsonObject(value) && typeof value["kind"] === "string" && value["kind"].endsWith("List");
}
