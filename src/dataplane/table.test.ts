// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ReconcileTable } from "./table.ts";

/** Wanted objects that belong to an interface; what is seen of each is a word. */
interface Wanted {
  readonly ifName?: string;
}

function createTable(): ReconcileTable<Wanted, string> {
  return new ReconcileTable((wanted) => wanted.ifName);
}

function want(table: ReconcileTable<Wanted, string>, key: string, wanted: Wanted | undefined): void {
  table.want(new Map([[key, wanted]]));
}

describe("a table of wanted and seen objects", () => {
  it("hands out each key that something was learnt about, once", () => {
    const table = createTable();
    want(table, "a", {});
    table.see("b", "seen");
    table.see("a", "seen");
    assert.deepEqual(table.takeDirty(0), ["a", "b"]);
    assert.deepEqual(table.takeDirty(0), []);
  });

  it("counts what is changed although nothing else was wanted", () => {
    const table = createTable();
    const apply = (): void => {
      for (const key of table.takeDirty(0)) table.changed(key);
    };
    want(table, "a", {});
    apply();
    table.mark("a");
    apply();
    want(table, "a", undefined);
    apply();
    assert.equal(table.repairs, 0);
    table.see("a", undefined);
    apply();
    assert.equal(table.repairs, 1);
    want(table, "b", {});
    for (const key of table.takeDirty(0)) table.fail(key, "no", 0);
    apply();
    table.takeDirty(1e9).forEach((key) => {
      table.changed(key);
    });
    assert.equal(table.repairs, 1, "what was wanted anew is made at a later attempt");
  });

  it("knows what is wanted and what is seen until that ends", () => {
    const table = createTable();
    want(table, "a", { ifName: "eth0" });
    table.see("a", "seen");
    assert.deepEqual(
      [table.wanted("a"), table.seen("a"), table.wantedCount],
      [{ ifName: "eth0" }, "seen", 1],
    );
    want(table, "a", undefined);
    table.see("a", undefined);
    assert.deepEqual([table.wanted("a"), table.seen("a"), table.wantedCount], [undefined, undefined, 0]);
  });

  it("is busy while a key waits, and while one is being worked on", () => {
    const table = createTable();
    assert.equal(table.isBusy, false);
    want(table, "a", {});
    assert.equal(table.isBusy, true);
    table.takeDirty(0);
    assert.equal(table.isBusy, true);
    table.done("a");
    assert.equal(table.isBusy, false);
  });

  it("leaves a postponed key as it is until its time has come, or something is learnt about it", () => {
    const table = createTable();
    want(table, "a", { ifName: "eth0" });
    table.takeDirty(0);
    table.postpone("a", 100);
    assert.deepEqual([table.isBusy, table.pendingOn("eth0"), table.nextRetryMs], [false, [], 100]);
    assert.deepEqual(table.takeDirty(99), []);
    assert.deepEqual(table.takeDirty(100), ["a"]);
    table.postpone("a", 200);
    table.see("a", "seen");
    assert.deepEqual(table.takeDirty(101), ["a"]);
    table.done("a");
    assert.equal(table.nextRetryMs, Infinity);
  });

  it("takes back what was taken and not concluded", () => {
    const table = createTable();
    for (const key of ["a", "b", "c", "d"]) want(table, key, {});
    table.takeDirty(0);
    table.done("a");
    table.block("b", "waits");
    table.fail("c", "refused", 0);
    table.giveUp();
    assert.deepEqual(table.takeDirty(0), ["d"]);
  });

  it("keeps what is learnt of a key that is being worked on for the next time", () => {
    const table = createTable();
    want(table, "a", {});
    table.takeDirty(0);
    table.see("a", "changed");
    table.done("a");
    assert.deepEqual(table.takeDirty(0), ["a"]);
  });

  it("expects without looking again, and an event has the last word", () => {
    const table = createTable();
    table.expect("a", "expected");
    assert.deepEqual([table.seen("a"), table.takeDirty(0)], ["expected", []]);
    table.see("a", "other");
    assert.equal(table.seen("a"), "other");
    table.expect("a", undefined);
    assert.equal(table.seen("a"), undefined);
  });

  it("looks at everything again after a listing: what is wanted, what is there, and what no longer is", () => {
    const table = createTable();
    want(table, "wanted", {});
    for (const key of ["gone", "stays"]) table.see(key, "old");
    table.takeDirty(0);
    table.reset(
      new Map([
        ["stays", "new"],
        ["comes", "new"],
      ]),
    );
    assert.deepEqual([...table.takeDirty(0)].sort(), ["comes", "gone", "stays", "wanted"]);
    assert.deepEqual(
      ["gone", "stays", "comes"].map((key) => table.seen(key)),
      [undefined, "new", "new"],
    );
  });

  it("forgets what matches, and only that", () => {
    const table = createTable();
    table.see("a", "x");
    table.see("b", "y");
    table.takeDirty(0);
    table.forget((seen) => seen === "x");
    assert.deepEqual([table.seen("a"), table.seen("b"), table.takeDirty(0)], [undefined, "y", ["a"]]);
  });
});

describe("a key that failed", () => {
  it("is tried again after a quarter of a second, then twice as long each time, at most half a minute", () => {
    const table = createTable();
    const delays = Array.from({ length: 9 }, () => table.fail("a", "refused", 1000).retryAtMs - 1000);
    assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    assert.equal(table.faults.get("a")?.attempts, 9);
  });

  it("is handed out when its time has come, not before", () => {
    const table = createTable();
    assert.equal(table.nextRetryMs, Infinity);
    table.fail("late", "refused", 100);
    table.fail("early", "refused", 0);
    assert.equal(table.nextRetryMs, 250);
    assert.deepEqual(table.takeDirty(249), []);
    assert.deepEqual(table.takeDirty(250), ["early"]);
  });

  it("begins anew once it has succeeded", () => {
    const table = createTable();
    for (let count = 0; count < 3; count++) table.fail("a", "refused", 0);
    table.done("a");
    assert.deepEqual([table.faults.size, table.nextRetryMs], [0, Infinity]);
    assert.equal(table.fail("a", "refused", 0).attempts, 1);
  });

  it("is one that failed or one that waits, never both", () => {
    const table = createTable();
    table.fail("a", "refused", 0);
    table.block("a", "waits");
    assert.deepEqual([table.faults.size, [...table.blocked]], [0, [["a", "waits"]]]);
    table.fail("a", "refused", 0);
    assert.deepEqual([table.faults.size, table.blocked.size], [1, 0]);
  });

  it("is tried again at once when something in its way may have changed, and so is one that waits", () => {
    const table = createTable();
    table.fail("a", "refused", 0);
    table.block("b", "waits");
    table.markFaults();
    assert.deepEqual(table.takeDirty(0), ["a", "b"]);
  });
});

describe("what an interface waits for", () => {
  it("is whatever of it is not applied, failed or blocked, until it is done", () => {
    const table = createTable();
    for (const key of ["a", "b", "c"]) want(table, key, { ifName: "eth0" });
    want(table, "other", { ifName: "eth1" });
    want(table, "nobody's", {});
    assert.deepEqual(
      table.pendingOn("eth0"),
      ["a", "b", "c"].map((key) => `${key} is not applied yet`),
    );
    table.takeDirty(0);
    table.block("a", "waits");
    table.fail("b", "refused", 0);
    assert.deepEqual(table.pendingOn("eth0"), ["waits", "refused", "c is not applied yet"]);
    for (const key of ["a", "b", "c"]) table.done(key);
    assert.deepEqual(table.pendingOn("eth0"), []);
    assert.deepEqual(table.pendingOn("eth1"), ["other is not applied yet"]);
  });

  it("tells why a key failed, also while it is tried again", () => {
    const table = createTable();
    want(table, "a", {});
    table.fail("a", "refused", 0);
    table.takeDirty(0);
    assert.equal(table.pendingAt("a"), "refused");
  });

  it("follows a key that moves to another interface, and ends with it", () => {
    const table = createTable();
    want(table, "a", { ifName: "eth0" });
    want(table, "a", { ifName: "eth1" });
    assert.deepEqual([table.pendingOn("eth0"), table.pendingOn("eth1").length], [[], 1]);
    table.takeDirty(0);
    table.markInterface("eth0");
    assert.deepEqual(table.takeDirty(0), []);
    table.markInterface("eth1");
    assert.deepEqual(table.takeDirty(0), ["a"]);
    want(table, "a", undefined);
    assert.deepEqual(table.pendingOn("eth1"), []);
  });
});
