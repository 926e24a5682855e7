// SPDX-License-Identifier: Apache-2.0
import { isUtf8 } from "node:buffer";
import { prefixEnd } from "../keys.ts";
import { DatastoreError, type Entry } from "../store.ts";
import type { KeyRange, KeyValue } from "./methods.ts";

/** "Every key from here on" as the end of a range, and the least key as its start. */
const NO_END = Buffer.from([0]);

/** All keys that start with the prefix. */
export function rangeOf(prefix: string): Required<KeyRange> {
  const end = prefixEnd(prefix);
  return {
    key: prefix === "" ? NO_END : Buffer.from(prefix),
    range_end: end === undefined ? NO_END : Buffer.from(end),
  };
}

/** The range from behind the key to where it ended. */
export function rangeAfter(range: KeyRange, { key }: KeyValue): KeyRange {
  return { ...range, key: Buffer.concat([key, NO_END]) };
}

/** Throws {@link DatastoreError} `corrupt` for what is no text: no Margay or Calico writes that. */
export function entryOf({ key, value, mod_revision: revision }: KeyValue): Entry {
  if (!isUtf8(key) || !isUtf8(value))
    throw new DatastoreError(
      "corrupt",
      `Cannot read what etcd has under ${JSON.stringify(key.toString())}: it is no text`,
    );
  return { key: key.toString(), value: value.toString(), revision };
}
