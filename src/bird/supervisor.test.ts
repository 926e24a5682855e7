// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createFakeClock, type FakeClock } from "../system/clock.ts";
import { Conditions } from "../system/conditions.ts";
import { silentLog } from "../system/log.ts";
import { createFakeProcesses, type RunResult } from "../system/process.ts";
import type { Bird, BirdStatus } from "./bird.ts";
import { birdFiles } from "./daemon.ts";
import { type FakeBird, startFakeBird } from "./fake-bird.ts";
import { createBird } from "./supervisor.ts";

interface Fixture extends AsyncDisposable {
  readonly directory: string;
  readonly clock: FakeClock;
  readonly bird: Bird;
  /** The arguments of every start so far, without the names of files. */
  readonly starts: readonly string[][];
  /** How the next starts end before they succeed. */
  readonly failures: Partial<RunResult>[];
  /** The BIRD started last. */
  daemon(): FakeBird;
  /** Resolves with the first status of which `holds` is true. */
  status(holds: (status: BirdStatus) => boolean): Promise<BirdStatus>;
  /** Resolves once `count` sleep. */
  asleep(count: number): Promise<void>;
}

/** A supervisor over fake daemons, where `refused` is a text that none is started with. */
function createFixture(): Fixture {
  const directory = mkdtempSync(join(tmpdir(), "margay-bird-"));
  const files = birdFiles(directory);
  const clock = createFakeClock();
  const changed = new Conditions();
  const statuses: BirdStatus[] = [];
  const starts: string[][] = [];
  const failures: Partial<RunResult>[] = [];
  const daemons: FakeBird[] = [];
  const processes = createFakeProcesses({
    async bird(args) {
      if (args.includes("-p"))
        return readFileSync(files.candidate, "utf8") === "refused" ? { code: 1, stderr: "1:1 no" } : {};
      starts.push(args.filter((arg) => !arg.includes("/")));
      const failure = failures.shift();
      if (failure !== undefined) return failure;
      const accepted = { [`configure "${files.candidate}"`]: "0003 Reconfigured\n" };
      daemons.push(await startFakeBird(files.socket, accepted));
      return {};
    },
  });
  const bird = createBird({ processes, clock, log: silentLog }, { directory });
  bird.onChange((status) => {
    statuses.push(status);
    changed.check();
  });
  const { signal } = new AbortController();
  return {
    directory,
    clock,
    bird,
    starts,
    failures,
    daemon() {
      const daemon = daemons.at(-1);
      assert.ok(daemon !== undefined);
      return daemon;
    },
    async status(holds) {
      await changed.until(() => statuses.some(holds), signal);
      return statuses.findLast(holds) ?? assert.fail();
    },
    async asleep(count) {
      // The fake clock tells of no sleepers, so this looks after every turn of the event loop.
      while (clock.sleepers < count) await new Promise((resolve) => setImmediate(resolve));
    },
    async [Symbol.asyncDispose]() {
      await bird[Symbol.asyncDispose]();
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

describe("the supervisor of BIRD", { timeout: 30_000 }, () => {
  it("does nothing before it is asked to", async () => {
    await using fixture = createFixture();
    assert.deepEqual(fixture.bird.status(), { kind: "stopped" });
    assert.deepEqual(await fixture.bird.refresh(), { kind: "stopped" });
    assert.deepEqual(fixture.starts, []);
  });

  it("starts, leaves alone, configures and refuses", async () => {
    await using fixture = createFixture();
    const { bird } = fixture;
    assert.deepEqual(await bird.configure("refused"), { kind: "refused", message: "1:1 no" });
    assert.deepEqual([await bird.check("refused"), await bird.check("one")], ["1:1 no", undefined]);
    assert.deepEqual(await bird.configure("one"), { kind: "started" });
    assert.deepEqual(await bird.configure("one"), { kind: "unchanged" });
    assert.deepEqual(await bird.configure("two"), { kind: "reconfigured" });
    assert.deepEqual(await bird.configure("two"), { kind: "unchanged" });
    assert.equal(readFileSync(birdFiles(fixture.directory).config, "utf8"), "two");
    assert.deepEqual(fixture.starts, [["-c", "-s", "-P"]]);
  });

  it("never overlaps what it is asked at once", async () => {
    await using fixture = createFixture();
    const { bird } = fixture;
    const results = await Promise.all([
      bird.configure("one"),
      bird.configure("two"),
      bird.stop(),
      bird.configure("one"),
    ]);
    assert.deepEqual(results, [
      { kind: "started" },
      { kind: "reconfigured" },
      undefined,
      { kind: "started" },
    ]);
    assert.equal(bird.status().kind, "running");
  });

  it("asks anew at every line of the log", async () => {
    await using fixture = createFixture();
    await fixture.bird.configure("one");
    const count = fixture.daemon().commands.length;
    fixture.daemon().say("mesh_192_168_0_102: State changed to up");
    while (fixture.daemon().commands.length === count) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(fixture.daemon().commands.slice(count, count + 1), ["show protocols all"]);
  });

  it("starts a dead BIRD again at once, and has it recover", async () => {
    await using fixture = createFixture();
    await fixture.bird.configure("one");
    fixture.clock.advance(10_000);
    await fixture.daemon().die();
    await fixture.status(({ kind }) => kind === "restarting");
    await fixture.asleep(1);
    fixture.clock.advance(0);
    while (fixture.bird.status().kind !== "running") await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(fixture.starts, [
      ["-c", "-s", "-P"],
      ["-c", "-s", "-P", "-R"],
    ]);
  });

  it("tries again and again, later and later, and says why", async () => {
    await using fixture = createFixture();
    await fixture.bird.configure("one");
    fixture.failures.push(...Array.from({ length: 9 }, () => ({ code: 1, stderr: "no room" })));
    await fixture.daemon().die();
    const waits = [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000];
    for (const [index, ms] of waits.entries()) {
      await fixture.asleep(1);
      fixture.clock.advance(ms - 1);
      assert.equal(fixture.clock.sleepers, 1, `before ${ms} ms`);
      assert.equal(fixture.starts.length, 1 + index);
      fixture.clock.advance(1);
    }
    const status = await fixture.status(
      (status) => status.kind === "restarting" && status.lastError.includes("room"),
    );
    assert.ok(status.kind === "restarting");
    assert.match(status.lastError, /Cannot start BIRD with ".*bird\.conf": no room/);
    while (fixture.bird.status().kind !== "running") await new Promise((resolve) => setImmediate(resolve));
  });

  it("lets a BIRD that is asked to end, end", async () => {
    for (const [as, command] of [
      ["goodbye", "down"],
      ["restart", "graceful restart"],
    ] as const) {
      await using fixture = createFixture();
      await fixture.bird.configure("one");
      await fixture.bird.stop({ as });
      assert.equal(fixture.daemon().commands.at(-1), command);
      assert.deepEqual(fixture.bird.status(), { kind: "stopped" });
      assert.equal(fixture.clock.sleepers, 0);
      await fixture.bird.stop({ as });
    }
  });

  it("has a BIRD recover that died while nobody looked", async () => {
    await using fixture = createFixture();
    writeFileSync(birdFiles(fixture.directory).pid, "");
    await fixture.bird.configure("one");
    assert.deepEqual(fixture.starts, [["-c", "-s", "-P", "-R"]]);
  });

  it("does not start BIRD again once it was stopped, or its supervision ended", async () => {
    for (const end of ["stop", "dispose"] as const) {
      await using fixture = createFixture();
      await fixture.bird.configure("one");
      await fixture.daemon().die();
      await fixture.asleep(1);
      if (end === "stop") await fixture.bird.stop();
      else await fixture.bird[Symbol.asyncDispose]();
      fixture.clock.advance(60_000);
      await fixture.bird[Symbol.asyncDispose]();
      assert.equal(fixture.starts.length, 1);
    }
  });

  it("gives up a wait at the abort, and can be asked again", async () => {
    await using fixture = createFixture();
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(fixture.bird.configure("one", { signal }), (error) => error === reason);
    assert.deepEqual(await fixture.bird.configure("one"), { kind: "started" });
  });
});
