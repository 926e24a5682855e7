// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { createLayout } from "./layout.ts";
import { lockLab } from "./lock.ts";

/** Names of this process alone. */
function layoutOf(letter: string): ReturnType<typeof createLayout> {
  return createLayout(`${letter}${process.pid}`);
}

const quiet = { signal: new AbortController().signal, onWait: (): void => undefined };

describe("lockLab", () => {
  it("lets one command in after the other, and tells who waits", async () => {
    const layout = layoutOf("a");
    const events: string[] = [];
    const first = await lockLab(layout, quiet);
    const waits = Promise.withResolvers<undefined>();
    const rest = ["second", "third"].map(async (name) => {
      await using _lock = await lockLab(layout, {
        ...quiet,
        onWait: () => {
          waits.resolve(undefined);
        },
      });
      events.push(`${name} in`);
      await new Promise(setImmediate);
      events.push(`${name} out`);
    });
    await waits.promise;
    events.push("first out");
    await first[Symbol.asyncDispose]();
    await Promise.all(rest);
    assert.equal(events[0], "first out");
    for (const index of [1, 3]) assert.equal(events[index]?.replace(" in", " out"), events[index + 1]);
  });

  it("keeps no one out of another lab", async () => {
    await using _one = await lockLab(layoutOf("b"), quiet);
    await using _other = await lockLab(layoutOf("c"), quiet);
  });

  it("gives up waiting when told to", async () => {
    const layout = layoutOf("d");
    await using _lock = await lockLab(layout, quiet);
    const reason = new Error("enough");
    const controller = new AbortController();
    const onWait = (): void => {
      controller.abort(reason);
    };
    await assert.rejects(lockLab(layout, { signal: controller.signal, onWait }), reason);
  });

  it("is free when its holder was killed", async () => {
    const layout = layoutOf("e");
    const holder = spawn(process.execPath, [
      "--input-type=module",
      "--eval",
      `import { lockLab } from ${JSON.stringify(new URL("lock.ts", import.meta.url).href)};
       import { createLayout } from ${JSON.stringify(new URL("layout.ts", import.meta.url).href)};
       await lockLab(createLayout("${layout.name}"), { signal: new AbortController().signal, onWait() {} });
       process.stdout.write("held"); setInterval(() => undefined, 1000);`,
    ]);
    await once(holder.stdout, "data");
    const onWait = (): void => {
      holder.kill("SIGKILL");
    };
    await using _lock = await lockLab(layout, { ...quiet, onWait });
    assert.ok(holder.killed);
  });
});
