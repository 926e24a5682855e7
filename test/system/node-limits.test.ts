// SPDX-License-Identifier: Apache-2.0
// As many containers as a node commonly may have, asked for all at once; by the plugin's own code, so that the agent is what has to bear it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";
import { type Result, callInProcess, callVariables, networkConfig } from "./cni-runtime.ts";
import { type Lab, MARGAY, agentStatus, createLab, eventuallyEqual, readStore, succeed } from "./harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";

const CONTAINERS = 250;

/** Prints the addresses among its arguments that do not answer. */
const PING_EACH = `for address; do ping -n -q -c 1 -W ${PING_PATIENCE_S} "$address" >/dev/null || echo "$address"; done`;

async function call(
  lab: Lab,
  command: "ADD" | "CHECK" | "DEL",
  container: string,
  prevResult?: object,
): Promise<string> {
  const config = networkConfig(lab, { name: "limits", ...(prevResult && { prevResult }) });
  const { code, stdout } = await callInProcess(callVariables(command, container, container), config);
  assert.equal(code, 0, `${command} ${container}: ${stdout}`);
  return stdout;
}

/** What the host has, and which records there are. */
async function inventory(lab: Lab): Promise<string> {
  return [
    (await lab.exec("host1", "ip", "-br", "link")).replaceAll(/@if\d+/g, ""),
    await lab.exec("host1", "ip", "route"),
    await lab.exec("host1", "ip", "neigh", "show", "nud", "permanent"),
    ...(await readStore(lab)).keys(),
  ].join("\n");
}

/** How much of each kind the agent wants, and what is amiss. */
async function stateOf(lab: Lab): Promise<string> {
  const { dataplane, reasons } = await agentStatus(lab, "host1");
  return JSON.stringify([dataplane.wanted, dataplane.faults, reasons]);
}

function changeNamespaces(action: "add" | "del", names: readonly string[]): void {
  execFileSync("ip", ["-batch", "-"], { input: names.map((name) => `netns ${action} ${name}\n`).join("") });
}

it(`a node takes ${CONTAINERS} containers at once, reaches all of them, and lets go of all`, async () => {
  await using lab = await createLab({ routeSource: "datastore" });
  const before = await inventory(lab);
  const state = await stateOf(lab);
  const names = Array.from({ length: CONTAINERS }, (_, index) => `${lab.name}c${index}`);
  changeNamespaces("add", names);
  try {
    const results = (await Promise.all(names.map((name) => call(lab, "ADD", name)))).map(
      (text) => JSON.parse(text) as Result,
    );
    const addresses = results.map(({ ips }) => ips[0]?.address.split("/")[0] ?? "");
    assert.equal(new Set(addresses).size, CONTAINERS, "no address twice");
    // From the node itself, from a container on it, and from one on another host.
    for (const from of ["host1", "a", "d"])
      assert.equal(await lab.exec(from, "sh", "-c", PING_EACH, "sh", ...addresses), "", `from ${from}`);
    await Promise.all(names.map((name, index) => call(lab, "CHECK", name, results[index])));
    await succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
    await Promise.all(names.map((name) => call(lab, "DEL", name)));
    await eventuallyEqual(() => inventory(lab), before);
    await eventuallyEqual(() => stateOf(lab), state);
  } finally {
    changeNamespaces("del", names);
  }
});
