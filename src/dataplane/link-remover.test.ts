// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseIfName } from "../net/if-name.ts";
import { createLinkRemover } from "./link-remover.ts";
import { KernelError } from "./netlink/kernel-error.ts";
import type { NetlinkRequest } from "./netlink/request.ts";

const [A, B, C] = ["cali1", "cali2", "cali3"].map(parseIfName) as [never, never, never];
const ENODEV = new KernelError("test", 19);
const EPERM = new KernelError("test", 1);

interface Execution {
  readonly requests: readonly string[];
  readonly answer: (results: readonly (KernelError | undefined)[]) => void;
  readonly fail: (error: Error) => void;
}

/** A remover whose kernel answers when the test says so. */
function createPaused() {
  const executions: Execution[] = [];
  const remover = createLinkRemover({
    execute: (requests: readonly NetlinkRequest[]) =>
      new Promise((resolve, reject) => {
        const descriptions = requests.map(({ description }) => description);
        executions.push({ requests: descriptions, answer: resolve, fail: reject });
      }),
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    remover,
    turn,
    get last(): Execution {
      return executions.at(-1) ?? assert.fail("nothing was executed");
    },
  };
}

describe("a link remover", () => {
  it("removes one by its name, and those that came meanwhile together", async () => {
    const kernel = createPaused();
    const first = kernel.remover.remove(A);
    const others = Promise.all([kernel.remover.remove(B), kernel.remover.remove(C)]);
    assert.deepEqual(kernel.last.requests, ['delete link "cali1"']);
    kernel.last.answer([undefined]);
    await first;
    await kernel.turn();
    const group = 0x6d617267;
    assert.deepEqual(kernel.last.requests, [
      'change link "cali2"',
      'change link "cali3"',
      `delete links of group ${group}`,
    ]);
    kernel.last.answer([undefined, undefined, undefined]);
    await others;
  });

  it("takes what is gone already for removed", async () => {
    const kernel = createPaused();
    const first = kernel.remover.remove(A);
    const others = Promise.all([kernel.remover.remove(B), kernel.remover.remove(C)]);
    kernel.last.answer([ENODEV]);
    await first;
    await kernel.turn();
    kernel.last.answer([ENODEV, ENODEV, ENODEV]);
    await others;
  });

  it("tells each of its own failure, and all of that of the whole", async () => {
    const kernel = createPaused();
    const removals = [A, B, C].map((name) => kernel.remover.remove(name));
    const outcomes = Promise.allSettled(removals);
    kernel.last.answer([EPERM]);
    await assert.rejects(removals[0] ?? assert.fail(), EPERM);
    await kernel.turn();
    kernel.last.answer([undefined, EPERM, undefined]);
    assert.deepEqual(
      (await outcomes).map(({ status }) => status),
      ["rejected", "fulfilled", "rejected"],
    );
    const [one, two] = [kernel.remover.remove(A), kernel.remover.remove(B)];
    kernel.last.fail(EPERM);
    await assert.rejects(one, EPERM);
    await kernel.turn();
    kernel.last.answer([EPERM]);
    await assert.rejects(two, EPERM);
  });
});
