// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openEmbeddedStore } from "../../datastore/embedded.ts";
import { createResource } from "../../datastore/resources.ts";
import { listResources } from "../../datastore/stored-resource.ts";
import type { Store } from "../../datastore/store.ts";
import { addressOf, makeNode, makeRequest } from "../../ipam/allocator-fixtures.ts";
import { breakingStore } from "../../ipam/store-fakes.ts";
import type { IPPool } from "../../model/ip-pool.ts";
import { resourceKey } from "../../model/keys.ts";
import { judgePools, poolOf } from "../../model/pools.ts";
import { parseResource, unwrap } from "../../model/resource.ts";
import { type Cidr, addressAt, cidrContainsIp, parseCidr, prefixLengthOf } from "../../net/cidr.ts";
import { CommandError } from "../exit.ts";
import { type SplitReport, type SplitTarget, splitStoredPool } from "./split.ts";

const SPEC = {
  cidr: "10.1.0.0/24",
  blockSize: 28,
  ipipMode: "CrossSubnet",
  nodeSelector: "rack == '1'",
  disableBGPExport: true,
};
const PARTS = ["10.1.0.0/26", "10.1.0.64/26", "10.1.0.128/26", "10.1.0.192/26"];
const BY_NAME: SplitTarget = { name: "a" };

function makePool(name: string, spec: object, labels: Record<string, string> = {}): IPPool {
  const value = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name, labels }, spec };
  return unwrap(parseResource("IPPool", value), name);
}

async function storeWith(...pools: readonly IPPool[]): Promise<Store> {
  const store = openEmbeddedStore({ path: ":memory:" });
  for (const pool of pools) assert.equal((await createResource(store, pool)).kind, "created");
  return store;
}

async function poolsIn(store: Store): Promise<readonly IPPool[]> {
  const stored = await listResources(store, "IPPool");
  return stored.map(({ id, json }) => unwrap(parseResource("IPPool", json), id.name));
}

function split(store: Store, target = BY_NAME, number = 4, dryRun = false): Promise<SplitReport> {
  return splitStoredPool(store, target, number, { dryRun });
}

/** Name, prefix and all else that a person has set. */
function settingsOf({ metadata, spec }: IPPool): object {
  return { name: metadata.name, labels: metadata.labels, spec };
}

function isRefused(exit: CommandError["exit"], message: RegExp) {
  return (error: unknown): boolean =>
    error instanceof CommandError && error.exit === exit && message.test(error.message);
}

/** As nodes see the pools: of those that hold an address, the closest says how packets to it travel, and at least one gives it out. */
function assertServed(pools: readonly IPPool[], cidr: Cidr): void {
  const refused = judgePools(pools, []);
  for (let index = 0; index < 256; index++) {
    const ip = addressAt(cidr, index);
    const around = pools.filter(({ spec }) => cidrContainsIp(spec.cidr, ip));
    const [closest] = around.toSorted((a, b) => prefixLengthOf(b.spec.cidr) - prefixLengthOf(a.spec.cidr));
    assert.equal(closest?.spec.ipipMode, "CrossSubnet");
    const serving = around.filter(({ metadata, spec }) => !spec.disabled && !refused.has(metadata.name));
    assert.equal(serving.length, 1, `pools that give out ${ip}`);
  }
}

/** Calls `look` after every write. */
function observedStore(store: Store, look: () => Promise<void>): Store {
  const seen = async <Result>(write: Promise<Result>): Promise<Result> => {
    const result = await write;
    await look();
    return result;
  };
  return {
    get: (...args) => store.get(...args),
    list: (...args) => store.list(...args),
    put: (...args) => seen(store.put(...args)),
    delete: (...args) => seen(store.delete(...args)),
    watch: store.watch.bind(store),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

describe("a pool that is split", () => {
  for (const [what, target] of [
    ["name", BY_NAME],
    ["prefix", { cidr: parseCidr("10.1.0.0/24") }],
  ] as const) {
    it(`is found by its ${what}, and gives way to parts with its settings`, async () => {
      await using store = await storeWith(
        makePool("a", SPEC, { site: "x" }),
        makePool("b", { cidr: "10.2.0.0/16" }),
      );
      const report = await split(store, target);
      assert.deepEqual([report.pool, report.outcome, report.lost], ["a", "deleted", []]);
      assert.deepEqual(
        (await poolsIn(store)).map(settingsOf),
        [
          ...PARTS.map((cidr, index) => makePool(`split-a-${index}`, { ...SPEC, cidr }, { site: "x" })),
          makePool("b", { cidr: "10.2.0.0/16" }),
        ]
          .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
          .map(settingsOf),
      );
      const again = await split(store, target);
      assert.deepEqual([again.pool, again.cidr, again.outcome], ["a", "10.1.0.0/24", "absent"]);
    });
  }

  it("that is disabled leaves parts that are", async () => {
    await using store = await storeWith(makePool("a", { ...SPEC, disabled: true }));
    await split(store);
    assert.deepEqual(
      (await poolsIn(store)).map(({ spec }) => spec.disabled),
      [true, true, true, true],
    );
  });

  it("keeps every address in a pool that gives it out and says how packets travel, after every single write", async () => {
    await using store = await storeWith(makePool("a", SPEC));
    let looks = 0;
    const observed = observedStore(store, async () => {
      assertServed(await poolsIn(store), parseCidr("10.1.0.0/24"));
      looks++;
    });
    await split(observed);
    assert.equal(looks, 6);
  });

  it("leaves blocks and addresses as they are, and the parts give out of the same blocks", async () => {
    const pool = makePool("a", SPEC);
    await using store = await storeWith(pool);
    const node = makeNode(store, "n");
    const held = await node.assign(makeRequest("c1", [pool]));
    assert.ok(held.kind === "assigned");
    const before = (await store.list("/calico/ipam/")).entries;
    await split(store);
    assert.deepEqual((await store.list("/calico/ipam/")).entries, before);
    const parts = await poolsIn(store);
    const next = await makeNode(store, "n").assign(makeRequest("c2", parts));
    assert.ok(next.kind === "assigned");
    assert.equal(next.block, held.block);
    assert.equal(next.pool, poolOf(parts, held.address)?.metadata.name);
    assert.equal(addressOf(await makeNode(store, "n").assign(makeRequest("c1", parts))), held.address);
  });

  it("is completed by the same call after a break at any write, with and without the last answer", async () => {
    for (const how of ["lost", "unanswered"] as const)
      for (let at = 0; at < 6; at++) {
        await using store = await storeWith(makePool("a", SPEC));
        await assert.rejects(
          split(breakingStore(store, at, how)),
          isRefused("unreachable", /split of IPPool "a": .*cut it off\n.*same command again completes it/),
        );
        const report = await split(store);
        const isDone = at === 5 && how === "unanswered";
        assert.equal(report.outcome, isDone ? "absent" : "deleted", `${how} at ${at}`);
        const names = (await poolsIn(store)).map(({ spec }) => [spec.cidr, spec.disabled]);
        assert.deepEqual(
          names,
          PARTS.map((cidr) => [cidr, false]),
          `${how} at ${at}`,
        );
      }
  });

  it("is only looked at in a dry run", async () => {
    await using store = await storeWith(makePool("a", SPEC));
    const before = (await store.list("/")).entries;
    const report = await split(store, BY_NAME, 2, true);
    assert.deepEqual(
      report.parts.map(({ name, outcome }) => [name, outcome]),
      [
        ["split-a-0", "created"],
        ["split-a-1", "created"],
      ],
    );
    assert.deepEqual((await store.list("/")).entries, before);
  });

  it("loses a setting of a newer version, and says so", async () => {
    await using store = await storeWith();
    const value = { ...makePool("a", SPEC), spec: { ...SPEC, novelty: 1 } };
    await store.put(resourceKey("IPPool", "a"), JSON.stringify(value));
    assert.deepEqual((await split(store)).lost, ["spec.novelty"]);
  });
});

describe("a pool is not split", () => {
  const refuses = (
    what: string,
    exit: CommandError["exit"],
    message: RegExp,
    pools: readonly IPPool[],
    { target = BY_NAME, number = 4 }: { readonly target?: SplitTarget; readonly number?: number } = {},
  ): void => {
    it(what, async () => {
      await using store = await storeWith(...pools);
      const before = (await store.list("/")).entries;
      await assert.rejects(split(store, target, number), isRefused(exit, message));
      assert.deepEqual((await store.list("/")).entries, before);
    });
  };
  const a = makePool("a", SPEC);
  refuses("that is not there", "absent", /no IPPool named "a"/, [makePool("b", SPEC)]);
  refuses("of a prefix that none has", "absent", /no IPPool of "10\.9\.0\.0\/16"/, [a], {
    target: { cidr: parseCidr("10.9.0.0/16") },
  });
  refuses("where two have the prefix", "conflict", /"a", "b" have it; say --name/, [a, makePool("b", SPEC)], {
    target: { cidr: parseCidr("10.1.0.0/24") },
  });
  refuses(
    "into less than its blocks",
    "invalid",
    /"10\.1\.0\.0\/24" has 16 blocks of \/28, too few for 32/,
    [a],
    {
      number: 32,
    },
  );
  refuses(
    "where another pool has a part's name",
    "conflict",
    /IPPool "split-a-1": it is there already, with another spec\.cidr, spec\.ipipMode/,
    [a, makePool("split-a-1", { ...SPEC, cidr: "10.3.0.0/26", ipipMode: "Never" })],
  );
  refuses(
    "where a part's name would be none",
    "invalid",
    /would be no valid name/,
    [makePool("x".repeat(60), SPEC)],
    {
      target: { name: "x".repeat(60) },
    },
  );

  it("where a block is larger than the parts", async () => {
    const wide = makePool("a", { ...SPEC, blockSize: 25 });
    await using store = await storeWith(a);
    await makeNode(store, "n").assign(makeRequest("c1", [wide]));
    await assert.rejects(
      split(store),
      isRefused("conflict", /block "10\.1\.0\.\d+\/25".*is larger than the parts, of \/26/),
    );
  });

  it("where somebody else changes it meanwhile", async () => {
    await using store = await storeWith(a);
    let writes = 0;
    const changing = observedStore(store, async () => {
      if (writes++ === 0)
        await store.put(
          resourceKey("IPPool", "a"),
          JSON.stringify(makePool("a", { ...SPEC, ipipMode: "Never" })),
        );
    });
    await assert.rejects(split(changing), isRefused("conflict", /somebody else has changed IPPool "a"/));
  });
});
