// SPDX-License-Identifier: Apache-2.0
// Export and import of a datastore, by the command: out of the store of an agent that runs, into a fresh one, and into that of another agent under containers that run.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openEmbeddedStore } from "../../src/datastore/embedded.ts";
import { createStoreHandler } from "../../src/datastore/server.ts";
import type { Store } from "../../src/datastore/store.ts";
import { resourceKey } from "../../src/model/keys.ts";
import {
  type Lab,
  MARGAY,
  type Outcome,
  createLab,
  eventually,
  execute,
  killAgent,
  readStore,
  succeed,
} from "./harness.ts";
import { PING_ONCE } from "./patience.ts";

const ONE_HOST = fileURLToPath(new URL("one-host.yaml", import.meta.url));

interface ServedStore extends AsyncDisposable {
  readonly store: Store;
  readonly socket: string;
}

/** A store of its own, served as an agent serves its. */
async function serveStore(directory: string): Promise<ServedStore> {
  const socket = join(directory, `${Math.random()}.sock`);
  const store = openEmbeddedStore({ path: join(directory, `${Math.random()}.db`) });
  const serve = createStoreHandler(store);
  const server = createServer((request, response) => void serve(request, response));
  server.listen(socket);
  await once(server, "listening");
  return {
    store,
    socket,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function contents(store: Store): Promise<ReadonlyMap<string, unknown>> {
  const { entries } = await store.list("/calico/");
  return new Map(entries.map(({ key, value }) => [key, JSON.parse(value)]));
}

describe("margay datastore", () => {
  let lab: Lab;
  let directory: string;
  let archive: string;
  before(async () => {
    lab = await createLab({ topology: ONE_HOST, routeSource: "datastore" });
    directory = await mkdtemp(join(tmpdir(), "margay-archive-"));
    archive = join(directory, "archive.yaml");
    const pool = resourceKey("IPPool", "default-ipv4-ippool");
    // The last thing that the agent writes by itself.
    await eventually(
      async () => (await readStore(lab)).get(pool)?.includes("Allocatable") === true,
      "the state",
    );
    await margay(lab.agentSocket("host1"), "export", "-o", archive);
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const margay = (socket: string, ...args: readonly string[]): Promise<Outcome> =>
    execute(MARGAY, ["datastore", ...args, "--socket", socket]);
  const importInto = (socket: string, ...args: readonly string[]): Promise<Outcome> =>
    margay(socket, "import", "-f", archive, ...args);

  it("exports all that there is, and imports it as it was", async () => {
    await using target = await serveStore(directory);
    const { code, stdout } = await importInto(target.socket);
    assert.equal(code, 0);
    assert.match(stdout, /^IPPool "default-ipv4-ippool" created$/m);
    const original = await readStore(lab);
    const wanted = new Map(Array.from(original, ([key, value]) => [key, JSON.parse(value) as unknown]));
    assert.deepEqual(await contents(target.store), wanted);
    assert.ok(Array.from(wanted.keys()).some((key) => key.includes("/ipam/v2/assignment/")));
    const again = await margay(target.socket, "export");
    assert.equal(again.stdout, await readFile(archive, "utf8"));
  });

  it("goes on with an import that was interrupted, and repeats one that was not", async () => {
    await using target = await serveStore(directory);
    assert.equal((await importInto(target.socket, "--dry-run")).code, 0);
    assert.equal((await contents(target.store)).size, 0);
    await importInto(target.socket);
    const whole = await contents(target.store);
    for (const [index, key] of [...whole.keys()].entries())
      if (index % 2 === 0) await target.store.delete(key);
    assert.equal((await importInto(target.socket)).code, 0);
    assert.deepEqual(await contents(target.store), whole);
    const { code, stdout } = await importInto(target.socket);
    assert.equal(code, 0);
    assert.ok(
      stdout
        .trimEnd()
        .split("\n")
        .every((line) => line.endsWith(" unchanged")),
      stdout,
    );
  });

  it("does not mix with what is there unless told, and never overwrites it", async () => {
    await using target = await serveStore(directory);
    const own = resourceKey("IPReservation", "own");
    await target.store.put(own, JSON.stringify({ kind: "IPReservation" }));
    const refused = await importInto(target.socket);
    assert.equal(refused.code, 4);
    assert.match(
      refused.stderr,
      /^margay: The datastore is not empty: 1 keys in it are not in the file, such as ".*ipreservations\/own"; --merge/,
    );
    assert.equal((await contents(target.store)).size, 1);
    assert.equal((await importInto(target.socket, "--merge")).code, 0);
    assert.deepEqual((await contents(target.store)).get(own), { kind: "IPReservation" });
    const pool = resourceKey("IPPool", "default-ipv4-ippool");
    await target.store.put(pool, JSON.stringify({ kind: "IPPool" }));
    const conflict = await importInto(target.socket, "--merge");
    assert.equal(conflict.code, 4);
    assert.equal(conflict.stderr, 'margay: IPPool "default-ipv4-ippool" is there already, and is another\n');
    assert.deepEqual((await contents(target.store)).get(pool), { kind: "IPPool" });
  });

  it("refuses a file with faults, and writes nothing of it", async () => {
    await using target = await serveStore(directory);
    const bad = join(directory, "bad.yaml");
    await writeFile(bad, (await readFile(archive, "utf8")).replace("10.1.0.0/16", "10.1.0.1/16"));
    const { code, stderr } = await margay(target.socket, "import", "-f", bad);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /bad\.yaml: document \d+, item 1, line \d+: IPPool "default-ipv4-ippool": spec\.cidr: /,
    );
    assert.equal((await contents(target.store)).size, 0);
  });

  it("gives the store of a fresh agent what the old one had, under containers that run", async () => {
    await killAgent(lab, "host1");
    const socket = lab.agentSocket("host1");
    const before = await lab.address("a");
    const configFile = join(dirname(socket), "agent.json");
    const config = JSON.parse(await readFile(configFile, "utf8")) as object;
    const fresh = join(directory, "fresh.json");
    const datastore = { kind: "embedded", path: join(directory, "fresh.db") };
    await writeFile(fresh, JSON.stringify({ ...config, datastore }));
    const agent = lab.start("host1", MARGAY, "agent", "--config", fresh);
    agent.stderr?.resume();
    try {
      await eventually(async () => (await importInto(socket, "--dry-run")).code === 0, "the agent's answer");
      const { code, stdout, stderr } = await importInto(socket);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^Node "host1" (completed|unchanged)$/m);
      await eventually(
        async () => (await execute(MARGAY, ["node", "status", "--socket", socket])).code === 0,
        "a node that is ready",
      );
      await lab.margay("add", "b", "--host", "host1");
      assert.notEqual(await lab.address("b"), before);
      await lab.exec("a", ...PING_ONCE, await lab.address("b"));
      await succeed(MARGAY, ["get", "wep", "-A", "--socket", socket]);
    } finally {
      agent.kill("SIGTERM");
      await once(agent, "close");
    }
  });
});
