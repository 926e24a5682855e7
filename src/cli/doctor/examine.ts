// SPDX-License-Identifier: Apache-2.0
import { dirname } from "node:path";
import type { NodeStatus } from "../../agent/answers.ts";
import type { LocatedCheck } from "../../doctor/check.ts";
import {
  type DoctorTools,
  type Examination,
  type Patient,
  examineCluster,
  examineMachine,
  examineNode,
  locate,
} from "../../doctor/doctor.ts";
import { systemClock } from "../../system/clock.ts";
import { systemProcesses } from "../../system/process.ts";
import { readVersion } from "../../system/version.ts";
import { systemTools } from "../node/checksystem-command.ts";
import { FEATURES, type Feature, checkSystem } from "../node/system-check.ts";
import { SYSTEM_CHECKS } from "../node/system-checks.ts";
import { type DoctorReport, reportOf } from "./render.ts";
import { systemChecks } from "./system-checks.ts";

/** Looks over nodes of this machine, the machine itself, and their cluster. */
export async function examine(
  patients: readonly Patient[],
  { signal }: { readonly signal: AbortSignal },
): Promise<DoctorReport> {
  const tools: DoctorTools = { processes: systemProcesses, clock: systemClock, version: readVersion() };
  const examined = await Promise.all(patients.map((patient) => examineNode(patient, tools, { signal })));
  const directory = patients[0]?.stateDirectory ?? "/";
  return reportOf([
    ...(await examineSystem(featuresOf(examined), signal)),
    ...(await examineMachine(directory, tools, { signal })),
    ...examined.flatMap(({ checks }) => checks),
    ...(await examineThrough(patients, examined, tools, signal)),
  ]);
}

/** By way of the first agent that has answered. */
async function examineThrough(
  patients: readonly Patient[],
  examined: readonly Examination[],
  tools: DoctorTools,
  signal: AbortSignal,
): Promise<readonly LocatedCheck[]> {
  const answering = patients.find((_, index) => examined[index]?.status !== undefined);
  const statuses = examined.flatMap(({ status }) => status ?? []);
  return await examineCluster(answering?.socket, statuses, tools, { signal });
}

async function examineSystem(
  features: readonly Feature[],
  signal: AbortSignal,
): Promise<readonly LocatedCheck[]> {
  return locate("machine", systemChecks(await checkSystem(SYSTEM_CHECKS, features, systemTools, { signal })));
}

/** What the nodes are used for. */
function featuresOf(examined: readonly Examination[]): readonly Feature[] {
  return FEATURES.filter((feature) =>
    examined.some(({ status }) => status !== undefined && uses(status, feature)),
  );
}

function uses({ routeSource, tunnels }: NodeStatus, feature: Feature): boolean {
  if (feature === "bgp") return routeSource === "bird";
  // VXLAN for IPv6 is `vxlan6`.
  return tunnels.some(({ kind }) => kind.startsWith(feature));
}

/** The node whose agent listens on the socket, in this process's own network namespace. */
export function ownPatient(socket: string, stateDirectory = dirname(socket)): Patient {
  return { name: "this node", socket, stateDirectory, netnsPath: undefined };
}
