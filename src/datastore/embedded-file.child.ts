// SPDX-License-Identifier: Apache-2.0
// The other process of embedded-file.test.ts: node embedded-file.child.ts open|write|fill <path> <prefix>
import { openEmbeddedStore } from "./embedded.ts";
import { DatastoreError, type Store } from "./store.ts";

const [mode, path = "", prefix = ""] = process.argv.slice(2);
try {
  await using store = openEmbeddedStore({ path });
  if (mode === "open") say("opened");
  if (mode === "write") await Promise.all(Array.from({ length: 8 }, (_, n) => writeForever(store, n)));
  if (mode === "fill") await fill(store);
} catch (error) {
  say(`refused ${error instanceof DatastoreError ? `${error.code} ${error.message}` : String(error)}`);
}

/** Says `<key> <revision>` of every write that was answered. */
async function writeForever(store: Store, writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const key = `${prefix}${writer}/${n}`;
    const result = await store.put(key, "x".repeat(1000));
    if (result.kind === "written") say(`${key} ${result.revision}`);
  }
}

/** Writes until that fails; says `failed <code> <answered> <listed> <watched>`. */
async function fill(store: Store): Promise<void> {
  const { revision } = await store.list(prefix);
  let written = 0;
  try {
    for (; written < 10_000; written++) await store.put(`${prefix}${written}`, "x".repeat(1000));
  } catch (error) {
    const { entries } = await store.list(prefix);
    const watched = await countChanges(store, revision, written);
    say(
      `failed ${error instanceof DatastoreError ? error.code : "?"} ${written} ${entries.length} ${watched}`,
    );
  }
}

async function countChanges(store: Store, after: number, until: number): Promise<number> {
  const stop = new AbortController();
  let count = 0;
  for await (const changes of store.watch(prefix, { after, signal: stop.signal })) {
    count += changes.length;
    if (count >= until) stop.abort();
  }
  return count;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
