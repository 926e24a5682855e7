// SPDX-License-Identifier: Apache-2.0
// Agents that cannot start: each ends at once, says why, and leaves what it found as it was.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openEmbeddedStore } from "../../src/datastore/embedded.ts";
import { MARGAY, type Outcome, execute } from "./harness.ts";

describe("an agent that cannot start", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "margay-agent-"));
  });
  after(async () => {
    await rm(directory, { recursive: true });
  });
  const at = (name: string): string => join(directory, name);
  /** In namespaces of its own, for the case that it starts after all: what it starts ends with it. */
  const runAgent = async (more: object): Promise<Outcome> => {
    const config = {
      nodeName: "host1",
      address: "192.168.0.101/24",
      stateDirectory: directory,
      socket: at("agent.sock"),
      datastore: { kind: "embedded", path: at("store.db") },
      ...more,
    };
    await writeFile(at("agent.json"), JSON.stringify(config));
    return execute("unshare", [
      "--net",
      "--pid",
      "--fork",
      "--kill-child",
      MARGAY,
      "agent",
      "--config",
      at("agent.json"),
    ]);
  };

  it("for an unknown field says so in one line", async () => {
    const { code, stdout, stderr } = await runAgent({ frob: 1 });
    assert.deepEqual([code, stdout], [1, ""], stderr);
    const wanted = `Cannot use agent configuration "${at("agent.json")}": frob: there is no field "frob"`;
    assert.equal(stderr, `margay: ${wanted}\n`);
    assert.deepEqual(await readdir(directory), ["agent.json"]);
  });

  it("for a store file that is half there says what to do, and leaves the file as it is", async () => {
    const path = at("half.db");
    {
      await using store = openEmbeddedStore({ path });
      for (let index = 0; index < 100; index++) await store.put(`/calico/key${index}`, "value ".repeat(200));
    }
    await truncate(path, Math.trunc((await stat(path)).size / 2));
    const half = await readFile(path);
    const files = (await readdir(directory)).sort();
    const { code, stderr } = await runAgent({ datastore: { kind: "embedded", path } });
    assert.equal(code, 1, stderr);
    assert.ok(stderr.startsWith(`margay: Cannot open datastore "${path}": it is damaged`), stderr);
    assert.match(stderr, /restore a copy, or move it away to start empty\n$/);
    assert.ok(half.equals(await readFile(path)), "the file is as it was");
    assert.deepEqual((await readdir(directory)).sort(), [...new Set([...files, "agent.json"])].sort());
  });

  it("where a file has its socket's name says so, and leaves the file as it is", async () => {
    const socket = at("precious");
    await writeFile(socket, "text");
    const { code, stderr } = await runAgent({ socket });
    assert.equal(code, 1, stderr);
    const wanted = `Cannot serve on "${socket}": there is something else of that name`;
    assert.ok(stderr.endsWith(`margay: ${wanted}\n`), stderr);
    assert.equal(await readFile(socket, "utf8"), "text");
  });
});
