// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { type Lab, MARGAY, execute, node, succeed } from "./harness.ts";

/** What of a session `node status --json` tells. */
export interface Session {
  readonly name: string;
  readonly peer: string;
  readonly state: string;
  readonly imported: number;
  readonly peerRestarting: boolean;
  readonly lastError?: string;
  readonly bfd?: string;
}

interface Told {
  readonly degraded: readonly string[];
  readonly bird: { readonly sessions: readonly Session[] } | null;
}

/** A resource, as it is written. */
export function resource(kind: string, name: string, spec: object): object {
  return { apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec };
}

/** `margay apply` of resources, as a person does. */
export async function apply(lab: Lab, ...resources: readonly object[]): Promise<void> {
  const stdin = resources.map((one) => JSON.stringify(one)).join("\n---\n");
  await succeed(MARGAY, ["apply", "-f", "-", "--socket", lab.agentSocket("host1")], { stdin });
}

export async function remove(lab: Lab, kind: string, name: string): Promise<void> {
  await succeed(MARGAY, ["delete", kind, name, "--socket", lab.agentSocket("host1")]);
}

export async function patch(lab: Lab, kind: string, name: string, change: object): Promise<void> {
  const args = ["patch", kind, name, "-p", JSON.stringify(change), "--socket", lab.agentSocket("host1")];
  await succeed(MARGAY, args);
}

export async function told(lab: Lab, host: string): Promise<Told> {
  return JSON.parse((await node(lab, host, "status", "--json")).stdout) as Told;
}

/** The session that the host has with the address. */
export async function sessionWith(lab: Lab, host: string, peer: string): Promise<Session | undefined> {
  return (await told(lab, host)).bird?.sessions.find((session) => session.peer === peer);
}

/** Lays a password out on every host. */
export function writeSecret(lab: Lab, name: string, key: string, password: string): void {
  const directory = `/run/margay/lab/${lab.name}/secrets/${name}`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(`${directory}/${key}`, `${password}\n`, { mode: 0o600 });
}

/** Whether one ping of those that go on for so many seconds is answered. */
export async function reaches(lab: Lab, from: string, to: string): Promise<boolean> {
  const { code } = await execute("ip", [
    ...["netns", "exec", `margay-${lab.name}-${from}`],
    ...["ping", "-n", "-c", "1", "-W", "1", to],
  ]);
  return code === 0;
}

/** The route to the prefix in the host's kernel; empty where there is none. */
export async function routeTo(lab: Lab, host: string, prefix: string): Promise<string> {
  return await lab.exec(host, "ip", "route", "show", prefix);
}

export function isDeepSubset(part: readonly string[], whole: readonly string[]): void {
  for (const one of part) assert.ok(whole.includes(one), `${one} among ${whole.join(", ")}`);
}
