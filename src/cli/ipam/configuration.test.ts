// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { openEmbeddedStore } from "../../datastore/embedded.ts";
import { resourceKey } from "../../model/keys.ts";
import { CommandError } from "../exit.ts";
import { type Configuration, readConfiguration, renderConfiguration } from "./configuration.ts";

async function read(text?: string): Promise<Configuration> {
  await using store = openEmbeddedStore({ path: ":memory:" });
  if (text !== undefined) await store.put(resourceKey("IPAMConfig", "default"), text);
  return await readConfiguration(store, {});
}

function stored(spec: object): string {
  const metadata = { name: "default" };
  return JSON.stringify({ apiVersion: "projectcalico.org/v3", kind: "IPAMConfig", metadata, spec });
}

test("without an IPAMConfig everything is by default", async () => {
  const configuration = await read();
  assert.deepEqual(configuration, {
    strictAffinity: false,
    autoAllocateBlocks: true,
    maxBlocksPerHost: 0,
    ipCooldownSeconds: 0,
    defaults: ["strictAffinity", "autoAllocateBlocks", "maxBlocksPerHost", "ipCooldownSeconds"],
  });
  assert.equal(
    renderConfiguration(configuration),
    [
      "PROPERTY             VALUE",
      "StrictAffinity       false   default",
      "AutoAllocateBlocks   true    default",
      "MaxBlocksPerHost     0       default: 20 blocks",
      "IpCooldownSeconds    0       default",
    ].join("\n"),
  );
});

test("what is set is told from what is not", async () => {
  const configuration = await read(stored({ strictAffinity: true, maxBlocksPerHost: 3 }));
  assert.deepEqual(configuration.defaults, ["autoAllocateBlocks", "ipCooldownSeconds"]);
  assert.match(renderConfiguration(configuration), /^StrictAffinity +true$/m);
  assert.match(renderConfiguration(configuration), /^MaxBlocksPerHost +3$/m);
  assert.match(
    renderConfiguration(await read(stored({ maxBlocksPerHost: 0 }))),
    /^MaxBlocksPerHost +0 +20 blocks$/m,
  );
});

test("one that cannot be read is told", async () => {
  for (const text of ["nonsense", stored({ maxBlocksPerHost: 3 })])
    await assert.rejects(
      read(text),
      (error) =>
        error instanceof CommandError &&
        error.exit === "invalid" &&
        /IPAMConfig "default"/.test(error.message),
    );
});
