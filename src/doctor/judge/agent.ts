// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus } from "../../agent/answers.ts";
import { type Check, subject } from "../check.ts";
import type { NodeSeen } from "../observation.ts";

/** Whether the agent answers, is what it should be, and what it complains of itself. */
export function judgeAgent({ agent: { socket, status }, version }: NodeSeen): readonly Check[] {
  const answers = subject("agent", socket);
  if (status.kind === "unknown")
    return [
      answers.fault(
        `no agent answers: ${status.reason}`,
        'start it ("systemctl restart margay-agent"; "margay lab up" for a lab); what it should repair, it then repairs',
      ),
    ];
  const { reasons, degraded, ignored } = status.value;
  const log = 'see "margay node status", and the agent\'s log ("journalctl -u margay-agent")';
  return [
    ...reasons.map((reason) => subject("agent", "not ready").fault(reason, log)),
    ...degraded.map((reason) => subject("agent", "degraded").warning(reason, log)),
    ...ignored.map((reason) =>
      subject("agent", "ignored").warning(
        reason,
        "correct the resource, or use a version that knows the field",
      ),
    ),
    answers.ok(`${status.value.nodeName} ${reasons.length === 0 ? "is ready" : "answers"}`),
    judgeVersion(status.value, version),
  ];
}

function judgeVersion({ version: running }: NodeStatus, installed: string): Check {
  const versions = subject("version", "agent and program");
  if (running === installed) return versions.ok(installed);
  return versions.warning(
    `the agent is ${running ?? "of an unknown version"}, this program ${installed}`,
    "restart the agent so that it runs what is installed; containers go on meanwhile",
  );
}
