// SPDX-License-Identifier: Apache-2.0
// A node's allocator in a process of its own, as the storm has it.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { DatastoreError } from "../../src/datastore/store.ts";
import type { Allocator } from "../../src/ipam/allocator.ts";
import type { AssignRequest, AssignResult } from "../../src/ipam/assignment.ts";
import { pause } from "../system/harness.ts";

export interface NodeSetup {
  readonly name: string;
  readonly endpoints: readonly string[];
}

export interface NodeRequest {
  readonly assign?: AssignRequest;
  readonly release?: string;
}

export interface NodeAnswer {
  readonly assigned?: AssignResult;
  readonly released?: Awaited<ReturnType<Allocator["releaseByHandle"]>>;
}

/** What the storm asks of a node. */
export interface StormAllocator extends AsyncDisposable {
  assign(request: AssignRequest): Promise<AssignResult>;
  releaseByHandle(handleId: string): Promise<unknown>;
}

/** How long a request has at the most before its process is killed: some are through by then, most are not. */
const MAX_LIFE_MS = 10;

/** Starts the node's process, and kills it in the midst of the request with number `killAt` (the first is 0). */
export function startStormProcess(setup: NodeSetup, killAt: number, random: () => number): StormAllocator {
  const script = fileURLToPath(new URL("ipam-storm-node.ts", import.meta.url));
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    process.execPath,
    [script, JSON.stringify(setup)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const ended = once(child, "exit");
  // What is still written to one that was killed is lost, as its answer is.
  child.stdin.on("error", () => undefined);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  let requests = 0;
  const ask = async (request: NodeRequest): Promise<NodeAnswer> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    if (requests++ === killAt) void pause(random() * MAX_LIFE_MS).then(() => child.kill("SIGKILL"));
    const line: IteratorResult<string, unknown> = await lines.next();
    if (line.done === true) {
      await ended;
      if (child.signalCode !== "SIGKILL") throw new Error(`"${setup.name}" ended by itself`);
      throw new DatastoreError("unavailable", `"${setup.name}" was killed`);
    }
    return JSON.parse(line.value) as NodeAnswer;
  };
  return {
    async assign(request) {
      const { assigned } = await ask({ assign: request });
      if (assigned === undefined) throw new Error("The process answers another question");
      return assigned;
    },
    releaseByHandle: (release) => ask({ release }),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
