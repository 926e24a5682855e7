// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type JsonObject, memberAt } from "../model/json.ts";
import { resourceKey } from "../model/keys.ts";
import { mergePatch } from "../model/merge-patch.ts";
import { type AnyResource, API_VERSION, parseResource, unwrap } from "../model/resource.ts";
import { createFakeClock } from "../system/clock.ts";
import { openEmbeddedStore } from "./embedded.ts";
import {
  type ChangeOutcome,
  applyResource,
  changeResource,
  createResource,
  deleteResource,
  replaceResource,
} from "./resources.ts";
import { listResources, readResource } from "./stored-resource.ts";
import type { Store } from "./store.ts";

const POOL = { kind: "IPPool", name: "pool" } as const;
const KEY = resourceKey("IPPool", "pool");

function pool(spec: object, metadata: object = {}): AnyResource {
  const value = { apiVersion: API_VERSION, kind: "IPPool", metadata: { name: "pool", ...metadata }, spec };
  return unwrap(parseResource("IPPool", value), "pool");
}

const SPEC = { cidr: "10.1.0.0/16" };

describe("resources in the datastore", () => {
  let store: Store;
  beforeEach(() => {
    store = openEmbeddedStore({ path: ":memory:" });
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
  });

  const stored = async (): Promise<unknown> => (await readResource(store, POOL))?.json;
  const put = (json: object): Promise<unknown> => store.put(KEY, JSON.stringify(json));
  const kindOf = ({ kind }: ChangeOutcome): string => kind;
  const patch =
    (change: object) =>
    (before: JsonObject): unknown =>
      mergePatch(before, change);

  it("are created with uid and time, once", async () => {
    const clock = createFakeClock(Date.parse("2026-01-02T03:04:05.678Z"));
    assert.deepEqual(await createResource(store, pool(SPEC), { clock }), { kind: "created" });
    const json = await stored();
    assert.equal(memberAt(json, "metadata", "creationTimestamp"), "2026-01-02T03:04:05Z");
    assert.match(String(memberAt(json, "metadata", "uid")), /^[0-9a-f-]{36}$/);
    assert.equal(memberAt(json, "spec", "blockSize"), 26);
    assert.deepEqual(await createResource(store, pool(SPEC)), { kind: "present" });
  });

  it("are not created with a version that they cannot have", async () => {
    const outcome = await createResource(store, pool(SPEC, { resourceVersion: "1" }));
    assert.equal(outcome.kind === "invalid" && outcome.issues[0]?.path, "metadata.resourceVersion");
  });

  it("keep identity, status and unknown fields when they are replaced", async () => {
    const metadata = { name: "pool", uid: "u", creationTimestamp: "2020-01-01T00:00:00Z", generation: 3 };
    const status = { conditions: [{ type: "Allocatable", status: "True" }] };
    const spec = { ...SPEC, natOutgoing: true, future: { x: [1] } };
    await put({
      apiVersion: API_VERSION,
      kind: "IPPool",
      metadata: { ...metadata, labels: { a: "b" } },
      spec,
      status,
    });
    const outcome = await replaceResource(store, pool({ ...SPEC, disabled: true }, { labels: { c: "d" } }));
    assert.equal(outcome.kind, "changed");
    const json = await stored();
    assert.deepEqual(memberAt(json, "metadata"), { ...metadata, labels: { c: "d" } });
    assert.deepEqual(memberAt(json, "status"), status);
    assert.deepEqual(memberAt(json, "spec", "future"), { x: [1] });
    assert.equal(memberAt(json, "spec", "natOutgoing"), false);
    assert.equal(memberAt(json, "spec", "disabled"), true);
  });

  it("have the status that the cluster reports, whatever a person says of it", async () => {
    const conditions = [{ type: "Allocatable", status: "True" }];
    const written = { ...pool(SPEC), status: { conditions } } as AnyResource;
    await createResource(store, written);
    assert.equal(memberAt(await stored(), "status"), undefined);
    await changeResource(store, POOL, patch({ status: { conditions: [] } }));
    assert.equal(kindOf(await applyResource(store, written)), "unchanged");
    assert.deepEqual(memberAt(await stored(), "status"), { conditions: [] });
  });

  it("are not written where nothing changes", async () => {
    await createResource(store, pool(SPEC));
    const before = await store.get(KEY);
    assert.deepEqual(await applyResource(store, pool(SPEC)), { kind: "unchanged" });
    assert.deepEqual(await store.get(KEY), before);
  });

  it("are replaced at the version that was seen only, and it is not stored", async () => {
    await createResource(store, pool(SPEC));
    const version = String((await store.get(KEY))?.revision);
    const next = pool({ ...SPEC, disabled: true }, { resourceVersion: version });
    assert.equal(kindOf(await applyResource(store, next)), "changed");
    assert.equal(memberAt(await stored(), "metadata", "resourceVersion"), undefined);
    const outcome = await applyResource(store, next);
    assert.match(outcome.kind === "stale" ? outcome.message : "", /it has changed: its resourceVersion is/);
  });

  it("are not taken for others of the same name", async () => {
    await createResource(store, pool(SPEC));
    assert.equal(kindOf(await replaceResource(store, pool(SPEC, { uid: "other" }))), "stale");
    assert.equal(kindOf(await deleteResource(store, POOL, { seen: { uid: "other" } })), "stale");
    assert.equal(kindOf(await applyResource(store, pool(SPEC))), "unchanged");
  });

  it("that are gone are told from those that never were", async () => {
    assert.equal(kindOf(await replaceResource(store, pool(SPEC))), "absent");
    assert.equal(kindOf(await applyResource(store, pool(SPEC, { resourceVersion: "7" }))), "stale");
    assert.equal(kindOf(await applyResource(store, pool(SPEC))), "created");
  });

  it("keep immutable fields", async () => {
    await createResource(store, pool(SPEC));
    for (const [spec, path] of [
      [{ cidr: "10.2.0.0/16" }, "spec.cidr"],
      [{ ...SPEC, blockSize: 28 }, "spec.blockSize"],
    ] as const) {
      const outcome = await applyResource(store, pool(spec));
      assert.deepEqual(outcome.kind === "invalid" && outcome.issues.map((issue) => issue.path), [path]);
    }
    const outcome = await changeResource(store, POOL, patch({ spec: { cidr: "10.3.0.0/16" } }));
    assert.equal(outcome.kind, "invalid");
  });

  it("tell which unknown fields a replacement took away with a list", async () => {
    const key = resourceKey("BGPConfiguration", "default");
    const head = { apiVersion: API_VERSION, kind: "BGPConfiguration", metadata: { name: "default" } };
    const communities = [{ name: "a", value: "1:2" }];
    const written = { ...head, spec: { communities } };
    const future = { ...head, spec: { communities: [{ ...communities[0], future: 1 }], other: 1 } };
    await store.put(key, JSON.stringify(future));
    const outcome = await applyResource(store, unwrap(parseResource("BGPConfiguration", written), "bgp"));
    assert.deepEqual(outcome, { kind: "changed", lost: ["spec.communities[0].future"] });
  });

  it("that cannot be read are repaired by replacing them", async () => {
    await put({
      apiVersion: API_VERSION,
      kind: "IPPool",
      metadata: { name: "pool" },
      spec: { ...SPEC, blockSize: 8 },
    });
    assert.equal(kindOf(await replaceResource(store, pool(SPEC))), "changed");
    await store.put(KEY, "{");
    assert.equal(kindOf(await replaceResource(store, pool(SPEC))), "changed");
  });

  it("are patched without a loss, and not with what cannot be", async () => {
    await put({
      apiVersion: API_VERSION,
      kind: "IPPool",
      metadata: { name: "pool" },
      spec: { ...SPEC, future: 1 },
    });
    assert.equal(kindOf(await changeResource(store, POOL, patch({ spec: { disabled: true } }))), "changed");
    assert.deepEqual(memberAt(await stored(), "spec"), { ...SPEC, future: 1, disabled: true });
    for (const [change, path] of [
      [{ spec: { ipipmode: "Always" } }, "spec.ipipmode"],
      [{ metadata: { name: "other" } }, "metadata.name"],
      [{ metadata: { uid: "u" } }, "metadata.uid"],
      [{ spec: { disabled: "yes" } }, "spec.disabled"],
    ] as const) {
      const outcome = await changeResource(store, POOL, patch(change));
      assert.deepEqual(outcome.kind === "invalid" && outcome.issues.map((issue) => issue.path), [path]);
    }
  });

  it("of a node are completed, not replaced: its agent writes them too", async () => {
    const head = { apiVersion: API_VERSION, kind: "Node" };
    const recorded = { bgp: { ipv4Address: "192.168.0.1/24" } };
    const node = { ...head, metadata: { name: "n", annotations: { a: "b" } }, spec: recorded };
    await store.put(resourceKey("Node", "n"), JSON.stringify(node));
    const mine = {
      ...head,
      metadata: { name: "n", labels: { rack: "1" } },
      spec: { bgp: { asNumber: 65_000 } },
    };
    assert.equal(kindOf(await applyResource(store, unwrap(parseResource("Node", mine), "node"))), "changed");
    const json = (await readResource(store, { kind: "Node", name: "n" }))?.json;
    assert.deepEqual(memberAt(json, "spec", "bgp"), { ipv4Address: "192.168.0.1/24", asNumber: 65_000 });
    assert.deepEqual(memberAt(json, "metadata", "labels"), { rack: "1" });
    assert.deepEqual(memberAt(json, "metadata", "annotations"), { a: "b" });
  });

  it("that many change at once lose nothing", async () => {
    await createResource(store, pool(SPEC));
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    await Promise.all(
      keys.map((key) => changeResource(store, POOL, patch({ metadata: { labels: { [key]: "v" } } }))),
    );
    const labels = memberAt(await stored(), "metadata", "labels") as object;
    assert.deepEqual(Object.keys(labels).toSorted(), keys.toSorted());
  });

  it("are not touched by a dry run", async () => {
    const dryRun = { dryRun: true };
    assert.equal(kindOf(await createResource(store, pool(SPEC), dryRun)), "created");
    assert.equal(await stored(), undefined);
    await createResource(store, pool(SPEC));
    const before = await store.get(KEY);
    assert.equal(kindOf(await applyResource(store, pool({ ...SPEC, disabled: true }), dryRun)), "changed");
    assert.equal(kindOf(await deleteResource(store, POOL, dryRun)), "deleted");
    assert.deepEqual(await store.get(KEY), before);
  });

  it("are listed by kind, and deleted", async () => {
    await createResource(store, pool(SPEC));
    assert.deepEqual(
      (await listResources(store, "IPPool")).map(({ id }) => id),
      [POOL],
    );
    assert.deepEqual(await listResources(store, "Node"), []);
    assert.equal(kindOf(await deleteResource(store, POOL)), "deleted");
    assert.equal(kindOf(await deleteResource(store, POOL)), "absent");
  });
});
