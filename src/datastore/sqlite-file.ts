// SPDX-License-Identifier: Apache-2.0
import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { DatastoreError, type DatastoreErrorCode, type Revision } from "./store.ts";
import { hasCode } from "../system/error-code.ts";

/** "mrgy": how a Margay store is told from another program's database. */
const APPLICATION_ID = 0x6d726779;
/** Raised with every change of the tables that an older Margay cannot read. */
const SCHEMA_VERSION = 1;

const SCHEMA = `
  CREATE TABLE entry (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE change (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT) STRICT;
  CREATE TABLE origin (revision INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};`;

/**
 * Opens the database at `path` (or `:memory:`) for this process alone, creating it where there is none.
 * Throws `corrupt` for a file that is not a sound store of this version, and leaves that file as it was; throws
 * `unavailable` where another process holds it or the file system refuses.
 */
export function openDatabase(path: string, firstRevision: Revision): DatabaseSync {
  const action = `open datastore "${path}"`;
  if (path === ":memory:") {
    const db = new DatabaseSync(path);
    createTables(db, firstRevision);
    return db;
  }
  try {
    if (!existsSync(path)) createFile(path, firstRevision);
    inspectFile(path);
    return lockFile(path);
  } catch (error) {
    throw fromSqlite(error, action);
  }
}

/**
 * The file comes into being complete: written under another name, then linked. So a file that is empty or lacks its
 * tables is damage, never a start cut short, and may be refused.
 */
function createFile(path: string, firstRevision: Revision): void {
  // SQLite would replay a log that lost its database into the new one.
  if (existsSync(`${path}-wal`)) {
    throw corrupt(path, `it is gone, but its log "${path}-wal" is there`, "restore it, or move the log away");
  }
  const unfinished = `${path}.${process.pid}.new`;
  rmSync(unfinished, { force: true });
  try {
    closeSync(openSync(unfinished, "wx", 0o600));
    const db = new DatabaseSync(unfinished);
    createTables(db, firstRevision);
    db.close();
    linkSync(unfinished, path);
    syncDirectory(dirname(path));
  } catch (error) {
    // Another process was faster. Its file is as good, and the lock decides who has it.
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function createTables(db: DatabaseSync, firstRevision: Revision): void {
  db.exec(`BEGIN; ${SCHEMA} INSERT INTO origin VALUES (${firstRevision}); COMMIT`);
}

function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Throws unless the file is a sound store; reads only, since even recovery and closing write through a writable handle. */
function inspectFile(path: string): void {
  const url = pathToFileURL(path);
  // Without a log nobody has the file open, and `immutable` reads it without leaving lock files. With one, the log
  // is part of the store: the last process died, or it still runs and SQLite finds its lock.
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1");
  const db = new DatabaseSync(url, { readOnly: true });
  try {
    const application = pragma(db, "application_id");
    const version = pragma(db, "user_version");
    if (application !== APPLICATION_ID) {
      throw corrupt(
        path,
        "it is not a Margay datastore",
        "give another path, or move it away to start empty",
      );
    }
    if (version !== SCHEMA_VERSION) {
      const state = `its schema is ${String(version)}, this program reads ${SCHEMA_VERSION}`;
      throw corrupt(path, state, "run the version of Margay that wrote it");
    }
    const found = pragma(db, "quick_check");
    if (found !== "ok") throw corrupt(path, `it is damaged: ${String(found)}`, RESTORE);
  } finally {
    db.close();
  }
}

const RESTORE = "restore a copy, or move it away to start empty";

function pragma(db: DatabaseSync, name: "application_id" | "user_version" | "quick_check"): unknown {
  return db.prepare(`SELECT * FROM pragma_${name}`).get()?.[name];
}

/** SQLite holds an exclusive lock from here to `close()`; the kernel frees it when the process dies. */
function lockFile(path: string): DatabaseSync {
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    db.exec("BEGIN IMMEDIATE; COMMIT");
    // The inspection of a store with a log leaves this; whoever has the lock knows that nobody uses it.
    rmSync(`${path}-shm`, { force: true });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function corrupt(path: string, state: string, remedy: string): DatastoreError {
  return new DatastoreError("corrupt", `Cannot open datastore "${path}": ${state}; ${remedy}`);
}

/** Primary result codes of SQLite (sqlite3.h) that a later try may not meet again, with their meaning here. */
const TRANSIENT: Readonly<Record<number, string>> = {
  3: "permission denied",
  5: "another process has it open; share it through the socket of that process",
  6: "it is locked",
  7: "out of memory",
  8: "it is read-only",
  10: "the disk failed",
  13: "the disk is full",
  14: "the file cannot be opened",
};
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Turns what SQLite or the file system threw while doing `action` into this boundary's error. */
export function fromSqlite(error: unknown, action: string): DatastoreError {
  if (error instanceof DatastoreError) return error;
  const { code, state } = explain(error);
  return new DatastoreError(code, `Cannot ${action}: ${state}`, { cause: error });
}

function explain(error: unknown): { readonly code: DatastoreErrorCode; readonly state: string } {
  if (!(error instanceof Error)) return { code: "unavailable", state: String(error) };
  if (!("errcode" in error) || typeof error.errcode !== "number") {
    return { code: "unavailable", state: error.message };
  }
  // The upper bytes refine the primary code.
  const primary = error.errcode & 0xff;
  const transient = TRANSIENT[primary];
  if (transient !== undefined) return { code: "unavailable", state: transient };
  if (primary === SQLITE_NOTADB) return { code: "corrupt", state: `it is not a database; ${RESTORE}` };
  if (primary === SQLITE_CORRUPT) return { code: "corrupt", state: `it is damaged; ${RESTORE}` };
  return { code: "corrupt", state: `${error.message}; ${RESTORE}` };
}
