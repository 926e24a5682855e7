// SPDX-License-Identifier: Apache-2.0
// One node's allocator in a process of its own, to be killed: requests are lines of JSON on standard input, answers on standard output.
import { createInterface } from "node:readline";
import { openEtcdStore } from "../../src/datastore/etcd/etcd-store.ts";
import { makeNode } from "../../src/ipam/allocator-fixtures.ts";
import type { NodeAnswer, NodeRequest, NodeSetup } from "./ipam-storm-process.ts";

const { name, endpoints } = JSON.parse(process.argv[2] ?? "") as NodeSetup;
const allocator = makeNode(openEtcdStore({ endpoints }), name);

for await (const line of createInterface(process.stdin)) {
  const { assign, release } = JSON.parse(line) as NodeRequest;
  const answer: NodeAnswer = {
    ...(assign && { assigned: await allocator.assign(assign) }),
    ...(release !== undefined && { released: await allocator.releaseByHandle(release) }),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
