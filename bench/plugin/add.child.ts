// SPDX-License-Identifier: Apache-2.0
// Runs in the host's network namespace, where the reference plugins work: reads what to do, prints milliseconds of each ADD.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { text } from "node:stream/consumers";

/** A plugin, and how it is called. */
export interface Contender {
  readonly name: string;
  readonly command: readonly [program: string, ...args: readonly string[]];
  readonly config: object;
}

interface Task {
  readonly contenders: readonly Contender[];
  /** The container's. */
  readonly netns: string;
  readonly rounds: number;
}

const { contenders, netns, rounds } = JSON.parse(await text(process.stdin)) as Task;

function call(command: "ADD" | "DEL", { command: [program, ...args], config }: Contender): number {
  const env = {
    ...process.env,
    CNI_COMMAND: command,
    CNI_CONTAINERID: "bench",
    CNI_NETNS: `/run/netns/${netns}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: "/usr/lib/cni",
  };
  const start = performance.now();
  const { status, stdout } = spawnSync(program, args, {
    input: JSON.stringify(config),
    env,
    encoding: "utf8",
  });
  const end = performance.now();
  assert.equal(status, 0, stdout);
  return end - start;
}

const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
// The first round warms the machine, and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const contender of contenders) {
    const milliseconds = call("ADD", contender);
    call("DEL", contender);
    if (round > 0) times.get(contender.name)?.push(milliseconds);
  }
}
process.stdout.write(JSON.stringify(Object.fromEntries(times)));
