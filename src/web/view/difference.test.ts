// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../system/random.ts";
import { applyChange } from "./apply-change.ts";
import { renderDifference, renderWhole, writeView } from "./difference.ts";
import { EMPTY_VIEW, containerItem, randomView } from "./view-fixtures.ts";
import { COLLECTIONS, type ViewChange, changeSchema, viewSchema } from "./view.ts";

describe("the difference of two views", () => {
  it("makes the second of the first, and has nothing that is the same in both", () => {
    const random = createRandom(7);
    let before = randomView(random);
    let told = 0;
    for (let round = 0; round < 300; round++) {
      const after = randomView(random);
      const text = renderDifference(writeView(before), writeView(after));
      if (text === undefined) continue;
      const change = changeSchema.parse(JSON.parse(text)) as unknown as ViewChange;
      assert.deepEqual(applyChange(before, change), after);
      for (const name of COLLECTIONS) {
        const { set = [], removed = [] } = change[name] ?? {};
        const old = new Map(before[name].map((item) => [item.id, JSON.stringify(item)]));
        for (const item of set) assert.notEqual(old.get(item.id), JSON.stringify(item));
        for (const id of removed) assert.ok(old.has(id) && !after[name].some((item) => item.id === id));
        told += set.length + removed.length;
      }
      before = after;
    }
    assert.ok(told > 1000, "the views were different");
  });

  it("is none where only the time is another", () => {
    const view = randomView(createRandom(3));
    assert.equal(
      renderDifference(writeView(view), writeView({ ...structuredClone(view), at: -1 })),
      undefined,
    );
  });

  it("does not write again what is the very same", () => {
    const before = writeView({ ...EMPTY_VIEW, containers: [containerItem()] });
    const after = writeView({ ...before.view, blocks: [] }, before);
    assert.equal(after.items.containers, before.items.containers);
    assert.notEqual(after.items.blocks, before.items.blocks);
  });
});

describe("a whole view, item by item", () => {
  it("is the view", () => {
    const view = randomView(createRandom(5));
    assert.deepEqual(viewSchema.parse(JSON.parse(renderWhole(writeView(view)))), view);
  });
});

describe("a change", () => {
  it("leaves alone what it does not name", () => {
    const view = randomView(createRandom(9));
    const next = applyChange(view, { at: 1, containers: { set: [], removed: ["host1/cali1"] } });
    assert.equal(next.at, 1);
    assert.equal(next.counters, view.counters);
    assert.ok(!next.containers.some(({ id }) => id === "host1/cali1"));
  });
});
