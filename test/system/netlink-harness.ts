// SPDX-License-Identifier: Apache-2.0
// What the tests of the netlink layer share: namespaces, and requests that must succeed or fail.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type Link, getLink } from "../../src/dataplane/netlink/link.ts";
import { type Netns, openNetns } from "../../src/dataplane/netlink/netns.ts";
import type { NetlinkRequest } from "../../src/dataplane/netlink/request.ts";
import type { RtEvent, Rtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import type { IfName } from "../../src/net/if-name.ts";
import { PATIENCE_MS } from "./patience.ts";

let counter = 0;

export interface Namespace extends Disposable {
  readonly name: string;
  readonly netns: Netns;
}

export function createNamespace(): Namespace {
  const name = `mnl${process.pid}n${counter++}`;
  execFileSync("ip", ["netns", "add", name]);
  const netns = openNetns(`/run/netns/${name}`);
  return {
    name,
    netns,
    [Symbol.dispose]() {
      netns[Symbol.dispose]();
      execFileSync("ip", ["netns", "del", name]);
    },
  };
}

/** What `ip -json` says in the namespace. */
export function ipJson(namespace: Namespace, ...args: readonly string[]): readonly Record<string, unknown>[] {
  const text = execFileSync("ip", ["-json", "-details", "-netns", namespace.name, ...args], {
    encoding: "utf8",
  });
  const parsed: unknown = JSON.parse(text.trim() === "" ? "[]" : text);
  assert.ok(Array.isArray(parsed));
  return parsed.map((item: unknown) => Object.fromEntries(Object.entries(item ?? {})));
}

export async function succeed(rtnetlink: Rtnetlink, ...requests: readonly NetlinkRequest[]): Promise<void> {
  for (const error of await rtnetlink.execute(requests)) assert.ifError(error);
}

export async function failureOf(rtnetlink: Rtnetlink, request: NetlinkRequest): Promise<unknown> {
  const [error] = await rtnetlink.execute([request]);
  assert.ok(error, `the kernel agreed to ${request.description}`);
  return error;
}

export async function linkNamed(rtnetlink: Rtnetlink, name: IfName): Promise<Link> {
  const [link, ...others] = await rtnetlink.list(getLink(name));
  assert.deepEqual(others, []);
  assert.ok(link);
  return link;
}

export const deadline = (): AbortSignal => AbortSignal.timeout(PATIENCE_MS);

/** Reads batches until one event satisfies the predicate; returns all up to it. */
export async function eventsUntil(
  batches: AsyncIterable<readonly RtEvent[]>,
  isLast: (event: RtEvent) => boolean,
): Promise<readonly RtEvent[]> {
  const seen: RtEvent[] = [];
  for await (const batch of batches) {
    seen.push(...batch);
    if (batch.some(isLast)) return seen;
  }
  assert.fail(`the events ended without the one awaited: ${JSON.stringify(seen)}`);
}
