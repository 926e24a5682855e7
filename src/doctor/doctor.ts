// SPDX-License-Identifier: Apache-2.0
import { birdDirectory, wireguardDirectory } from "../agent/config.ts";
import type { NodeStatus } from "../agent/answers.ts";
import { connectStore } from "../datastore/client.ts";
import type { Clock } from "../system/clock.ts";
import type { ProcessRunner } from "../system/process.ts";
import { type Check, type LocatedCheck, amissInBoth, isAmiss } from "./check.ts";
import { judgeAgent } from "./judge/agent.ts";
import { judgeBgp } from "./judge/bgp.ts";
import { judgeCluster } from "./judge/cluster.ts";
import { judgeDevices } from "./judge/devices.ts";
import { judgeDifferences } from "./judge/differences.ts";
import { judgeFirewall } from "./judge/firewall.ts";
import { judgeMachine } from "./judge/machine.ts";
import { judgePaths } from "./judge/paths.ts";
import { judgeRoutes } from "./judge/routes.ts";
import { judgeSysctls } from "./judge/sysctls.ts";
import { judgeHandshakes } from "./judge/wireguard.ts";
import { type KernelSeen, type Known, type NodeSeen, valueOf } from "./observation.ts";
import { readAgent } from "./read/agent.ts";
import { readBird } from "./read/bird.ts";
import { readCluster } from "./read/cluster.ts";
import { readForwardChains } from "./read/firewall.ts";
import { readKernel } from "./read/kernel.ts";
import { ask } from "./read/known.ts";
import { readMachine } from "./read/machine.ts";
import { runIn } from "./read/run-there.ts";

export interface DoctorTools {
  readonly processes: ProcessRunner;
  readonly clock: Clock;
  /** The version of this program. */
  readonly version: string;
}

/** Where a node is on this machine. */
export interface Patient {
  /** What it is called before its agent has said so. */
  readonly name: string;
  /** Where its agent listens. */
  readonly socket: string;
  readonly stateDirectory: string;
  /** A path of its network namespace; `undefined` where it is this process's own. */
  readonly netnsPath: string | undefined;
}

interface Wait {
  readonly signal: AbortSignal;
}

/** A BIRD or nft that does not answer by then will not. */
const TIMEOUT_MS = 10_000;
/** Before the second look at what was amiss: containers that come and go, and repairs, are through by then. */
const SECOND_LOOK_MS = 1000;

export interface Examination {
  readonly checks: readonly LocatedCheck[];
  /** Absent where no agent has told. */
  readonly status?: NodeStatus;
}

/** Looks a node over. What was amiss in its kernel at the first look, and is not at the second, was under way. */
export async function examineNode(
  patient: Patient,
  tools: DoctorTools,
  { signal }: Wait,
): Promise<Examination> {
  const kernel = await lookAtKernel(patient, { signal });
  const seen = await lookAtNode(patient, kernel, tools, { signal });
  const status = valueOf(seen.agent.status);
  let judged = judgeKernel(seen.kernel, seen);
  if (judged.some(isAmiss)) {
    await tools.clock.sleep(SECOND_LOOK_MS, { signal });
    judged = amissInBoth(judged, judgeKernel(await lookAtKernel(patient, { signal }), seen));
  }
  const checks = locate(status?.nodeName ?? patient.name, [
    ...judgeAgent(seen),
    ...judged,
    ...judgeFirewall(seen.forwardChains),
    ...judgeBgp(seen.bird, status),
    ...judgePaths(seen.agent.paths),
    ...judgeDifferences(seen.agent.differences),
  ]);
  return status === undefined ? { checks } : { checks, status };
}

/** Looks over what the cluster has stored, by way of the agent that listens on the socket, if one answers; `statuses` are of the nodes whose agents have told. */
export async function examineCluster(
  socket: string | undefined,
  statuses: readonly NodeStatus[],
  { clock }: DoctorTools,
  { signal }: Wait,
): Promise<readonly LocatedCheck[]> {
  const silent = { kind: "unknown", reason: "no agent answers that could be asked for it" } as const;
  if (socket === undefined) return locate("cluster", judgeCluster(silent, statuses));
  await using store = connectStore({ socketPath: socket });
  const seen = await ask((wait) => readCluster({ store, clock }, { signal: wait }), {
    signal,
    timeoutMs: TIMEOUT_MS,
  });
  return locate("cluster", judgeCluster(seen, statuses));
}

/** Looks over what is the machine's, whatever nodes are on it. */
export async function examineMachine(
  stateDirectory: string,
  { processes }: DoctorTools,
  { signal }: Wait,
): Promise<readonly LocatedCheck[]> {
  return locate("machine", judgeMachine(await readMachine({ stateDirectory, processes }, { signal })));
}

export function locate(where: string, checks: readonly Check[]): readonly LocatedCheck[] {
  return checks.map((check) => ({ where, ...check }));
}

async function lookAtKernel(
  { netnsPath = "/proc/self/ns/net", stateDirectory }: Patient,
  { signal }: Wait,
): Promise<Known<KernelSeen>> {
  const place = { netnsPath, wireguardDirectory: wireguardDirectory({ stateDirectory }) };
  return await ask((wait) => readKernel(place, { signal: wait }), { signal });
}

async function lookAtNode(
  { socket, stateDirectory, netnsPath }: Patient,
  kernel: Known<KernelSeen>,
  { processes, version }: DoctorTools,
  { signal }: Wait,
): Promise<NodeSeen> {
  const limited = { signal, timeoutMs: TIMEOUT_MS };
  return {
    version,
    kernel,
    agent: await readAgent(socket, { signal }),
    bird: await ask((wait) => readBird(birdDirectory({ stateDirectory }), { signal: wait }), limited),
    forwardChains: await ask(
      (wait) => readForwardChains(runIn(netnsPath, processes, { signal: wait })),
      limited,
    ),
  };
}

function judgeKernel(kernel: Known<KernelSeen>, { agent }: NodeSeen): readonly Check[] {
  if (kernel.kind === "unknown")
    return [
      { name: "kernel", lookedAt: "rtnetlink", result: "skipped", reason: kernel.reason, remedy: null },
    ];
  const status = valueOf(agent.status);
  return [
    ...judgeSysctls(kernel.value, status),
    ...judgeDevices(kernel.value, status),
    ...judgeRoutes(kernel.value),
    ...judgeHandshakes(kernel.value),
  ];
}
