// SPDX-License-Identifier: Apache-2.0
// Random faults on a lab of three hosts and three members of etcd, by a seed that has them come again.
import assert from "node:assert/strict";
import { createRandom } from "../../src/system/random.ts";
import { type Lab, MARGAY, agentStatus, eventually, execute, pause } from "../system/harness.ts";

const HOSTS = ["host1", "host2", "host3"] as const;
const MEMBERS = ["etcd1", "etcd2", "etcd3"] as const;
/** Containers that come and go, each on the host of its number. */
const EXTRAS = ["x1", "x2", "x3"] as const;
const MIN_STEPS = 3;
const MAX_STEPS = 8;
/** Between two faults: some meet what the one before has begun. */
const MAX_PAUSE_MS = 1500;

/** One thing that happens; what fails because of an earlier one is no fault of the cluster. */
interface Step {
  readonly what: string;
  readonly act: (lab: Lab, unfinished: Set<string>) => Promise<void>;
}

/** Makes the faults that the seed stands for, has everything back, and finds the lab well and its addresses in order. */
export async function runFaultSequence(lab: Lab, seed: number): Promise<void> {
  const random = createRandom(seed);
  const steps = planSteps(random);
  /** Containers whose removal was begun, and not seen to end. */
  const unfinished = new Set<string>();
  const story = `seed ${seed}: ${steps.map(({ what }) => what).join(", ")}`;
  try {
    for (const { act } of steps) {
      await act(lab, unfinished);
      await pause(random() * MAX_PAUSE_MS);
    }
    await heal(lab, unfinished);
    await isWell(lab);
  } catch (error) {
    throw new Error(`After ${story}`, { cause: error });
  }
}

function planSteps(random: () => number): readonly Step[] {
  const count = MIN_STEPS + Math.floor(random() * (MAX_STEPS - MIN_STEPS + 1));
  return Array.from({ length: count }, () => {
    const plan = pick(random, PLANS);
    return plan(random);
  });
}

function pick<T>(random: () => number, all: readonly T[]): T {
  const one = all[Math.floor(random() * all.length)];
  if (one === undefined) throw new RangeError("Cannot pick from nothing");
  return one;
}

const PLANS: readonly ((random: () => number) => Step)[] = [
  (random) => signalAgent(pick(random, HOSTS), "SIGKILL"),
  (random) => signalAgent(pick(random, HOSTS), "SIGTERM"),
  (random) => signalAgent(pick(random, HOSTS), "SIGSTOP"),
  (random) => killBird(pick(random, HOSTS)),
  (random) => signalMember(pick(random, MEMBERS), "SIGKILL"),
  (random) => signalMember(pick(random, MEMBERS), "SIGSTOP"),
  (random) => setCable(pick(random, [...HOSTS, ...MEMBERS]), "down"),
  (random) => setCable(pick(random, [...HOSTS, ...MEMBERS]), "up"),
  () => ({ what: "restart what is dead", act: restart }),
  (random) => add(pick(random, EXTRAS)),
  (random) => add(pick(random, EXTRAS)),
  (random) => remove(pick(random, EXTRAS)),
];

function signalAgent(host: string, signal: NodeJS.Signals): Step {
  return {
    what: `${signal} to ${host}'s agent`,
    act: async (lab) => {
      signalTo((await lab.host(host)).agent?.pid, signal);
    },
  };
}

function killBird(host: string): Step {
  return {
    what: `SIGKILL to ${host}'s BIRD`,
    act: async (lab) => {
      signalTo((await lab.host(host)).bird?.pid, "SIGKILL");
    },
  };
}

function signalMember(name: string, signal: NodeJS.Signals): Step {
  return {
    what: `${signal} to ${name}`,
    act: async (lab) => {
      const { etcd } = await lab.status();
      signalTo(etcd.find((member) => member.name === name)?.process?.pid, signal);
    },
  };
}

function setCable(node: string, state: "up" | "down"): Step {
  return {
    what: `${node}'s cable ${state}`,
    act: async (lab) => {
      await lab.exec("underlay", "ip", "link", "set", node, state);
    },
  };
}

function add(name: string): Step {
  return {
    what: `add ${name}`,
    act: async (lab) => {
      await attempt(lab, "add", name, "--host", hostOf(name));
    },
  };
}

function hostOf(name: string): string {
  return name.replace("x", "host");
}

function remove(name: string): Step {
  return {
    what: `remove ${name}`,
    act: async (lab, unfinished) => {
      if (await attempt(lab, "rm", name)) unfinished.delete(name);
      else unfinished.add(name);
    },
  };
}

/** Whether it succeeded. It may fail, and may hang: a runtime gives up after a while, too. */
async function attempt(lab: Lab, ...args: readonly string[]): Promise<boolean> {
  const { code } = await execute("timeout", ["10", MARGAY, "lab", ...args, "--name", lab.name]);
  return code === 0;
}

async function restart(lab: Lab): Promise<void> {
  await execute("timeout", ["10", MARGAY, "lab", "up", "--name", lab.name]);
}

function signalTo(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Ends every fault: cables are in, frozen processes go on, dead ones are started. */
async function heal(lab: Lab, unfinished: Set<string>): Promise<void> {
  for (const node of [...HOSTS, ...MEMBERS]) await setCable(node, "up").act(lab, unfinished);
  const { hosts, etcd } = await lab.status();
  for (const { agent, bird } of hosts) {
    signalTo(agent?.pid, "SIGCONT");
    signalTo(bird?.pid, "SIGCONT");
  }
  for (const member of etcd) signalTo(member.process?.pid, "SIGCONT");
  await lab.repair();
  const { containers } = await lab.status();
  const isThere = (extra: string): boolean => containers.some(({ name }) => name === extra);
  // As a runtime does with what it could not attach or detach at the first try. An agent that was frozen may still carry out what nobody waits for any more.
  for (const name of EXTRAS.filter((extra) => unfinished.has(extra) || !isThere(extra))) {
    if (!isThere(name)) await lab.margay("add", name, "--host", hostOf(name));
    await lab.margay("rm", name);
  }
}

async function isWell(lab: Lab): Promise<void> {
  for (const host of HOSTS)
    await eventually(async () => {
      const { ready, degraded } = await agentStatus(lab, host);
      return ready && degraded.length === 0;
    }, `${host} being well`);
  const report = JSON.parse(await lab.margay("check", "--json")) as { ok: boolean };
  assert.equal(report.ok, true, "lab check");
  await isClean(lab);
}

/** An address that a fault has left behind is given back before long; until then `ipam check` names it. */
async function isClean(lab: Lab): Promise<void> {
  let said = "";
  const check = async (): Promise<boolean> => {
    const { code, stdout, stderr } = await execute(MARGAY, [
      "ipam",
      "check",
      "--socket",
      lab.agentSocket("host1"),
    ]);
    said = stdout + stderr;
    return code === 0;
  };
  await eventually(check, "ipam check").catch((error: unknown) => {
    throw new Error(`ipam check says:\n${said}`, { cause: error });
  });
}
