// SPDX-License-Identifier: Apache-2.0
// What the tests of the allocator start from.
import assert from "node:assert/strict";
import type { Ip } from "../net/ip.ts";
import type { Store } from "../datastore/store.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { parseNodeName } from "../model/name.ts";
import { parseResource, unwrap } from "../model/resource.ts";
import { createFakeClock } from "../system/clock.ts";
import { silentLog } from "../system/log.ts";
import { type Allocator, createAllocator } from "./allocator.ts";
import type { AssignRequest, AssignResult } from "./assignment.ts";

export function makePool(name: string, cidr: string, blockSize: number): IPPool {
  const value = {
    apiVersion: "projectcalico.org/v3",
    kind: "IPPool",
    metadata: { name },
    spec: { cidr, blockSize },
  };
  return unwrap(parseResource("IPPool", value), name);
}

/** The allocator of a node, as after a start: it knows nothing but the store. */
export function makeNode(store: Store, name: string): Allocator {
  const clock = createFakeClock(Date.UTC(2026, 0, 1));
  return createAllocator({ store, clock, log: silentLog }, { nodeName: parseNodeName(name) });
}

export function makeRequest(
  container: string,
  pools: readonly IPPool[],
  change: Partial<AssignRequest> = {},
  interfaceName = "eth0",
): AssignRequest {
  return {
    handleId: `net.${container}`,
    attributes: { interface: interfaceName, containerID: container, network: "net" },
    pools,
    family: 4,
    strictAffinity: false,
    maxBlocks: 0,
    ...change,
  };
}

export function addressOf(result: AssignResult): Ip {
  return result.kind === "assigned" ? result.address : assert.fail(result.message);
}

export function messageOf(result: AssignResult): string {
  return result.kind === "assigned" ? assert.fail(`"${result.address}" was assigned`) : result.message;
}
