// SPDX-License-Identifier: Apache-2.0
import { type LineCounter, isMap, isNode, isScalar, isSeq } from "yaml";

/** Where something stands in what a person gave. */
export interface Place {
  /** The file as it was named, or `standard input`. */
  readonly source: string;
  /** The document's number in the file, from 1. */
  readonly document: number;
  /** The number in the document's list, from 1, where it is a list. */
  readonly item?: number;
  /** Where known, from 1. */
  readonly line?: number | undefined;
}

/** One fault, and where. */
export interface Fault {
  readonly place: Place;
  /** What it is about, `IPPool "a": spec.cidr: …`. */
  readonly message: string;
}

export function formatPlace({ source, document, item, line }: Place): string {
  const parts = [
    `document ${document}`,
    ...(item === undefined ? [] : [`item ${item}`]),
    ...(line === undefined ? [] : [`line ${line}`]),
  ];
  return `${source}: ${parts.join(", ")}`;
}

export function formatFault({ place, message }: Fault): string {
  return `${formatPlace(place)}: ${message}`;
}

/**
 * The line of the field that an issue's path, `spec.ipNetworks[0]`, leads to; of what is around it where it is not there. Names are compared with the document's own, for
 * they may hold dots themselves.
 */
export function lineOfPath(node: unknown, path: string, lines: LineCounter): number | undefined {
  const step = nextStep(node, path);
  const inner = step && (lineOfPath(step.value, step.rest, lines) ?? lineOf(step.at, lines));
  return inner ?? lineOf(node, lines);
}

interface Step {
  readonly at: unknown;
  readonly value: unknown;
  readonly rest: string;
}

function nextStep(node: unknown, path: string): Step | undefined {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      const rest = afterName(path, isScalar(key) ? String(key.value) : "");
      if (rest !== undefined) return { at: key, value, rest };
    }
  }
  const index = /^\[(\d+)\]\.?(.*)$/s.exec(path);
  if (!isSeq(node) || index === null) return undefined;
  const value = node.items[Number(index[1])];
  return { at: value, value, rest: index[2] ?? "" };
}

/** What is left of the path behind the name; `undefined` where it does not start with that. */
function afterName(path: string, name: string): string | undefined {
  if (name === "" || !path.startsWith(name)) return undefined;
  const rest = path.slice(name.length);
  if (rest === "" || rest.startsWith("[")) return rest;
  return rest.startsWith(".") ? rest.slice(1) : undefined;
}

function lineOf(node: unknown, lines: LineCounter): number | undefined {
  const [start] = (isNode(node) ? node.range : undefined) ?? [];
  if (start === undefined) return undefined;
  const { line } = lines.linePos(start);
  return line > 0 ? line : undefined;
}
