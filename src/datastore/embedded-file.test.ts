// SPDX-License-Identifier: Apache-2.0
// What a store in a file owes beyond the contract: damage, other processes, sudden death, a full disk.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openEmbeddedStore } from "./embedded.ts";
import { DatastoreError, type DatastoreErrorCode } from "./store.ts";

test("a store makes its file and leaves nothing else once closed", async () => {
  using directory = makeDirectory();
  const store = openEmbeddedStore({ path: join(directory.path, "store.db") });
  await store.put("/a", "1");
  await store[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(directory.path), ["store.db"]);
});

test("a new file starts at a revision that no earlier one had", async () => {
  using directory = makeDirectory();
  const path = join(directory.path, "store.db");
  const start = Date.UTC(2026, 0, 1);
  const clock = { now: () => start, elapsedMs: () => 0, sleep: () => Promise.resolve() };
  await using store = openEmbeddedStore({ path, clock });
  assert.equal((await store.list("")).revision, start);
});

test("what is no sound store of this version is refused, and stays as it was", async (t) => {
  const cases: readonly (readonly [title: string, spoil: (path: string) => void, message: RegExp])[] = [
    [
      "text",
      (path) => {
        writeFileSync(path, "a text that is longer than a header\n".repeat(9));
      },
      /not a database/,
    ],
    [
      "an empty file",
      (path) => {
        writeFileSync(path, "");
      },
      /not a Margay datastore/,
    ],
    [
      "the first bytes of a database",
      (path) => {
        writeFileSync(path, readFileSync(path).subarray(0, 60));
      },
      /damaged/,
    ],
    [
      "half of a store",
      (path) => {
        writeFileSync(path, readFileSync(path).subarray(0, 8192));
      },
      /damaged/,
    ],
    ["overwritten pages", overwrite, /damaged/],
    [
      "another program's database",
      (path) => {
        rewrite(path, "PRAGMA application_id = 77");
      },
      /not a Margay datastore/,
    ],
    [
      "a newer schema",
      (path) => {
        rewrite(path, "PRAGMA user_version = 2");
      },
      /schema is 2, this program reads 1; run the version/,
    ],
  ];
  for (const [title, spoil, message] of cases) {
    await t.test(title, async () => {
      using directory = makeDirectory();
      const path = join(directory.path, "store.db");
      await makeStore(path);
      spoil(path);
      const before = readFileSync(path);
      refuses(path, "corrupt", message);
      assert.ok(readFileSync(path).equals(before), "the file changed");
      assert.deepEqual(readdirSync(directory.path), ["store.db"]);
    });
  }
});

test("another program's database stays as it was with its log too", () => {
  using directory = makeDirectory();
  const path = join(directory.path, "store.db");
  const db = new DatabaseSync(join(directory.path, "live.db"));
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE theirs (a TEXT)");
  const files = ["", "-wal"].map((end) => ({
    from: join(directory.path, `live.db${end}`),
    to: `${path}${end}`,
  }));
  for (const { from, to } of files) copyFileSync(from, to);
  refuses(path, "corrupt", /not a Margay datastore/);
  for (const { from, to } of files) assert.ok(readFileSync(to).equals(readFileSync(from)), `${to} changed`);
  db.close();
});

test("a log without its database is refused, and stays", () => {
  using directory = makeDirectory();
  const path = join(directory.path, "store.db");
  writeFileSync(`${path}-wal`, "log");
  refuses(path, "corrupt", /it is gone, but its log .* is there/);
  assert.deepEqual(readdirSync(directory.path), ["store.db-wal"]);
});

test("a path that cannot be opened is unavailable", () => {
  using directory = makeDirectory();
  refuses(join(directory.path, "none", "store.db"), "unavailable", /no such file or directory/);
  refuses(directory.path, "unavailable", /^Cannot open datastore/);
});

test("a second handle in one process is refused, and does not break the first one's lock", async () => {
  using directory = makeDirectory();
  const path = join(directory.path, "store.db");
  await using store = openEmbeddedStore({ path });
  await store.put("/a", "1");
  refuses(path, "unavailable", /another process has it open; share it through the socket/);
  using other = startChild("open", path);
  assert.match(await other.next(), /^refused unavailable/);
  assert.equal((await store.get("/a"))?.value, "1");
});

test(
  "a killed writer loses nothing it answered for, and its lock dies with it",
  { timeout: 60_000 },
  async () => {
    using directory = makeDirectory();
    const path = join(directory.path, "store.db");
    const answered = new Map<string, number>();
    for (let round = 0; round < 3; round++) {
      using other = startChild("write", path, `/round/${round}/`);
      for (let line = await other.next(); line !== ""; line = await other.next()) {
        const [key = "", revision] = line.split(" ");
        answered.set(key, Number(revision));
        if (answered.size === 100 * (round + 1)) {
          refuses(path, "unavailable", /another process has it open/);
          other.child.kill("SIGKILL");
        }
      }
      // Its output ends before its lock does.
      await other.exited;
      await using store = openEmbeddedStore({ path });
      const { entries } = await store.list("/round/");
      const stored = new Map(entries.map(({ key, revision }) => [key, revision]));
      for (const [key, revision] of answered) assert.equal(stored.get(key), revision, `${key} was lost`);
      const revisions = entries.map(({ revision }) => revision).sort((a, b) => a - b);
      assert.deepEqual(
        revisions,
        revisions.map((_, index) => (revisions[0] ?? 0) + index),
      );
    }
  },
);

test("a copy taken with its log after a crash opens with all of it", { timeout: 60_000 }, async () => {
  using directory = makeDirectory();
  const path = join(directory.path, "store.db");
  using other = startChild("write", path, "/a/");
  for (let n = 0; n < 50; n++) await other.next();
  other.child.kill("SIGKILL");
  await other.exited;
  assert.ok(existsSync(`${path}-wal`));
  const copy = join(directory.path, "copy.db");
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  await using original = openEmbeddedStore({ path });
  await using copied = openEmbeddedStore({ path: copy });
  assert.deepEqual(await copied.list(""), await original.list(""));
  assert.ok((await copied.list("/a/")).entries.length >= 50);
  await copied[Symbol.asyncDispose]();
  assert.deepEqual(
    readdirSync(directory.path).filter((name) => name.startsWith("copy")),
    ["copy.db"],
  );
});

test("a full disk fails the write and nothing else", { timeout: 60_000 }, async () => {
  using directory = makeDirectory();
  using other = startChild("fill", join(directory.path, "store.db"), "/a/");
  const [outcome = "", code, written, listed, watched] = (await other.next()).split(" ");
  assert.deepEqual([outcome, code], ["failed", "unavailable"]);
  assert.ok(Number(written) > 0);
  assert.equal(listed, written, "what failed must not be there, what was answered must");
  assert.equal(watched, written);
});

async function makeStore(path: string): Promise<void> {
  await using store = openEmbeddedStore({ path });
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.put(`/a/${n}`, "x".repeat(500))));
}

function refuses(path: string, code: DatastoreErrorCode, message: RegExp): void {
  assert.throws(
    () => openEmbeddedStore({ path }),
    (error) => {
      assert.ok(error instanceof DatastoreError);
      assert.equal(error.code, code, error.message);
      assert.ok(error.message.startsWith(`Cannot open datastore "${path}": `), error.message);
      assert.match(error.message, message);
      return true;
    },
  );
}

function rewrite(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(`${sql}; PRAGMA journal_mode = DELETE`);
  db.close();
}

/** Damage behind the header, as a bad disk does it. */
function overwrite(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 4096, 4096 * 8);
  writeFileSync(path, bytes);
}

function makeDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "margay-store-"));
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true });
    },
  };
}

interface Child extends Disposable {
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  /** The next line of its output; empty once there are no more. */
  next(): Promise<string>;
}

/** Another process on the same file, killed at the end of its block; `fill` may not make files over 100 KiB. */
function startChild(mode: "open" | "write" | "fill", path: string, prefix = ""): Child {
  const program = join(import.meta.dirname, "embedded-file.child.ts");
  // In units of 512 bytes.
  const script = mode === "fill" ? 'ulimit -f 200; exec "$@"' : 'exec "$@"';
  const child = spawn("sh", ["-c", script, "sh", process.execPath, program, mode, path, prefix], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    exited: once(child, "exit"),
    async next() {
      const { value, done } = await lines.next();
      return done === true ? "" : value;
    },
    [Symbol.dispose]: () => {
      child.kill("SIGKILL");
    },
  };
}
