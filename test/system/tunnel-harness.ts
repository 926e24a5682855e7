// SPDX-License-Identifier: Apache-2.0
// What the tests of tunnels share: captures on the underlay, and a pool's mode.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connectStore } from "../../src/datastore/client.ts";
import { mergePatch } from "../../src/model/merge-patch.ts";
import type { CheckReport } from "../../src/lab/check.ts";
import { type Lab, MARGAY, eventually, execute } from "./harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";

export const TWO_SUBNETS = new URL("../../src/lab/topologies/two-subnets.yaml", import.meta.url).pathname;
/** The same with IPv6 beside IPv4. */
export const TWO_SUBNETS_DUAL_STACK = fileURLToPath(
  new URL("./two-subnets-dual-stack.yaml", import.meta.url),
);
const STREAM = fileURLToPath(new URL("./stream.ts", import.meta.url));
export const FELIX_KEY = "/calico/resources/v3/projectcalico.org/felixconfigurations/default";
const POOLS_PREFIX = "/calico/resources/v3/projectcalico.org/ippools/";

/** A pool's two modes; one that is absent is `Never`. */
export interface Mode {
  readonly ipipMode?: "Always" | "CrossSubnet";
  readonly vxlanMode?: "Always" | "CrossSubnet";
}

export async function setMode(lab: Lab, mode: Mode, pool = "default-ipv4-ippool"): Promise<void> {
  await patch(lab, POOLS_PREFIX + pool, { spec: { ipipMode: "Never", vxlanMode: "Never", ...mode } });
}

/** Changes a stored resource as another tool would. */
export async function patch(lab: Lab, key: string, change: object): Promise<void> {
  await using store = connectStore({ socketPath: lab.agentSocket("host1") });
  const entry = (await store.get(key)) ?? assert.fail(`nothing under ${key}`);
  await store.put(key, JSON.stringify(mergePatch(JSON.parse(entry.value), change)));
}

/** Ordered pairs that do not reach each other, or are translated. */
export async function failedPairs(lab: Lab): Promise<readonly string[]> {
  const { stdout } = await execute(MARGAY, ["lab", "check", "--json", "--name", lab.name]);
  const { pairs } = JSON.parse(stdout) as CheckReport;
  return pairs
    .filter(({ reachable, translated }) => !reachable || translated)
    .map(({ from, to }) => `${from} ${to}`)
    .sort();
}

/** What tcpdump sees on the host's underlay interface while one node pings another twice. */
export async function captureOf(lab: Lab, host: string, from: string, to: string): Promise<string> {
  const filter = "udp port 4789 or ip proto 4 or icmp";
  const capture = lab.start(host, "tcpdump", "-n", "-l", "-i", "eth0", filter);
  let seen = "";
  capture.stdout?.setEncoding("utf8").on("data", (text: string) => (seen += text));
  await once(capture.stderr ?? assert.fail(), "data");
  await lab.exec(from, "ping", "-n", "-c", "2", "-i", "0.05", "-W", PING_PATIENCE_S, to);
  await eventually(() => Promise.resolve(countOf(seen, /echo reply/g) >= 2), "two answers");
  capture.kill("SIGINT");
  await once(capture, "close");
  return seen;
}

/** Everything that passes the host's underlay interface while a mebibyte goes from one container to another, as printable characters. */
export async function eavesdrop(lab: Lab, host: string, from: string, to: string): Promise<string> {
  const capture = lab.start(host, "tcpdump", "-n", "-l", "-A", "-s", "0", "-i", "eth0", "tcp or udp");
  let seen = "";
  capture.stdout?.setEncoding("latin1").on("data", (text: string) => (seen += text));
  await once(capture.stderr ?? assert.fail(), "data");
  const receiver = lab.start(to, process.execPath, STREAM, "receive");
  const received = linesOf(receiver);
  try {
    await received("ready");
    const sent = await lab.exec(from, process.execPath, STREAM, "tcp", await lab.address(to), "1");
    await received(sent.trim());
    await eventually(() => Promise.resolve(seen.length > 500_000), "the larger part of it");
  } finally {
    receiver.kill();
    capture.kill("SIGINT");
  }
  await once(capture, "close");
  return seen;
}

function countOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

/** Runs one TCP stream from a container to another, by its IPv4 address where none is said, while `during` runs; all of it has to arrive. */
export async function streamDuring(
  lab: Lab,
  from: string,
  to: string,
  during: () => Promise<void>,
  address?: string,
): Promise<void> {
  const receiver = lab.start(to, process.execPath, STREAM, "receive");
  const received = linesOf(receiver);
  await received("ready");
  const sender = lab.start(from, process.execPath, STREAM, "trickle", address ?? (await lab.address(to)));
  const sent = linesOf(sender);
  try {
    await sent("connected");
    await during();
  } finally {
    sender.kill("SIGTERM");
    await once(sender, "close");
  }
  const told = await sent(/^\d+ /);
  try {
    assert.equal(await received(/^\d+ /), told);
  } finally {
    receiver.kill();
    await once(receiver, "close");
  }
}

/** Waits for lines of a program's output, for at most twenty seconds. */
function linesOf(child: ChildProcess): (wanted: string | RegExp) => Promise<string> {
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  return async (wanted) => {
    const found = (): string | undefined =>
      output.split("\n").find((line) => (typeof wanted === "string" ? line === wanted : wanted.test(line)));
    await eventually(
      () => Promise.resolve(found() !== undefined),
      `a line like ${String(wanted)} in "${output}"`,
    );
    return found() ?? assert.fail();
  };
}
