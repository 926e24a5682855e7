// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Revision } from "./store.ts";

/** Longest key in bytes of UTF-8. The longest that Calico's layout produces is about 600. */
export const MAX_KEY_BYTES = 1024;
/** Longest value in bytes of UTF-8. etcd refuses requests over 1.5 MiB; this leaves room for the rest of one. */
export const MAX_VALUE_BYTES = 1024 * 1024;

/** Throws `invalid` unless the key is 1 to {@link MAX_KEY_BYTES} bytes of well-formed text. */
export function checkKey(action: string, key: string): void {
  if (key === "") throw invalid(action, key, "a key cannot be empty");
  checkPrefix(action, key);
}

/** As {@link checkKey}; the empty prefix is that of every key. */
export function checkPrefix(action: string, prefix: string): void {
  checkText(action, prefix, "the key", prefix, MAX_KEY_BYTES);
}

export function checkValue(action: string, key: string, value: string): void {
  checkText(action, key, "the value", value, MAX_VALUE_BYTES);
}

/** Zero is refused too: the revision to watch after is one that the store gave out. */
export function checkRevision(action: string, key: string, revision: Revision): void {
  if (Number.isSafeInteger(revision) && revision > 0) return;
  throw invalid(action, key, `${revision} is not a revision, want a positive integer`);
}

/**
 * The least text above every text that starts with `prefix`, or `undefined` where there is none.
 * UTF-8 sorts bytewise as its code points do, so the last code point is raised by one.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  // Surrogates are no code points of their own, and cannot be written in UTF-8.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}

function checkText(action: string, key: string, what: string, text: string, maxBytes: number): void {
  // A lone surrogate would be stored as U+FFFD: two different texts would become one.
  if (!text.isWellFormed()) throw invalid(action, key, `${what} holds half a character`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw invalid(action, key, `${what} has ${bytes} bytes, at most ${maxBytes} fit`);
}

function invalid(action: string, key: string, state: string): DatastoreError {
  const shown = key.length > 100 ? `${key.slice(0, 100)}…` : key;
  return new DatastoreError("invalid", `Cannot ${action} "${shown}": ${state}`);
}
