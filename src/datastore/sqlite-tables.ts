// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { prefixEnd } from "./keys.ts";
import { type Change, DatastoreError, type Entry, type Revision } from "./store.ts";

type Row = Readonly<Record<string, SQLOutputValue>>;

/** What {@link Tables.readHistory} stops at; both bound the memory that one slow watcher can hold. */
export interface BatchLimits {
  readonly changes: number;
  /** In UTF-16 code units of the values; one change is returned whatever its size. */
  readonly characters: number;
}

/**
 * The statements of the store. `entry` is the present, `change` the recent past; each holds its values, so that a
 * listing is one range scan and dropping history never touches the present.
 */
export class Tables {
  readonly #head: StatementSync;
  readonly #oldest: StatementSync;
  readonly #get: StatementSync;
  readonly #list: StatementSync;
  readonly #history: StatementSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #record: StatementSync;
  readonly #drop: StatementSync;

  constructor(db: DatabaseSync) {
    this.#head = db.prepare("SELECT coalesce((SELECT max(revision) FROM change), revision) AS n FROM origin");
    this.#oldest = db.prepare(
      "SELECT coalesce((SELECT min(revision) FROM change), revision + 1) AS n FROM origin",
    );
    this.#get = db.prepare("SELECT key, value, revision FROM entry WHERE key = ?");
    this.#list = db.prepare("SELECT key, value, revision FROM entry WHERE key >= ? AND key < ? ORDER BY key");
    this.#history = db.prepare(
      "SELECT revision, key, value FROM change WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision LIMIT ?",
    );
    this.#put = db.prepare("INSERT OR REPLACE INTO entry (key, value, revision) VALUES (?, ?, ?)");
    this.#remove = db.prepare("DELETE FROM entry WHERE key = ?");
    this.#record = db.prepare("INSERT INTO change (revision, key, value) VALUES (?, ?, ?)");
    this.#drop = db.prepare("DELETE FROM change WHERE revision <= ?");
  }

  /** The revision of the last write. */
  readHead(): Revision {
    return integer(this.#head.get(), "n");
  }

  /** The first revision whose change is still known, or the next one to be written. */
  readOldest(): Revision {
    return integer(this.#oldest.get(), "n");
  }

  readEntry(key: string): Entry | undefined {
    const row = this.#get.get(key);
    return row === undefined ? undefined : entryOf(row);
  }

  readEntries(prefix: string): readonly Entry[] {
    return this.#list.all(prefix, upperBound(prefix)).map(entryOf);
  }

  /** Changes under `prefix` after a revision, oldest first; `complete` says that the limits cut nothing off. */
  readHistory(
    prefix: string,
    after: Revision,
    limits: BatchLimits,
  ): { readonly changes: readonly Change[]; readonly complete: boolean } {
    const changes: Change[] = [];
    let characters = 0;
    for (const row of this.#history.iterate(after, prefix, upperBound(prefix), limits.changes)) {
      changes.push(changeOf(row));
      characters += String(row["value"] ?? "").length;
      if (characters >= limits.characters) return { changes, complete: false };
    }
    return { changes, complete: changes.length < limits.changes };
  }

  /** Writes one change to the present and to the history. */
  write(change: Change): void {
    if (change.kind === "put") {
      const { key, value, revision } = change.entry;
      this.#put.run(key, value, revision);
      this.#record.run(revision, key, value);
    } else {
      this.#remove.run(change.key);
      this.#record.run(change.revision, change.key, null);
    }
  }

  /** Forgets the changes up to and including a revision. */
  dropHistory(upTo: Revision): void {
    this.#drop.run(upTo);
  }
}

/** Every text sorts below every blob in SQLite: the empty blob ends the range that has no end. */
function upperBound(prefix: string): string | Uint8Array {
  return prefixEnd(prefix) ?? new Uint8Array();
}

function entryOf(row: Row): Entry {
  return { key: text(row, "key"), value: text(row, "value"), revision: integer(row, "revision") };
}

function changeOf(row: Row): Change {
  if (row["value"] !== null) return { kind: "put", entry: entryOf(row) };
  return { kind: "delete", key: text(row, "key"), revision: integer(row, "revision") };
}

function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new DatastoreError("corrupt", `Cannot read column "${column}": ${typeof value} is not text`);
}

function integer(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value === "number") return value;
  throw new DatastoreError("corrupt", `Cannot read column "${column}": ${typeof value} is not an integer`);
}
