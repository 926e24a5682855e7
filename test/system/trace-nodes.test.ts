// SPDX-License-Identifier: Apache-2.0
// Traces on a node, as on a machine of its own: what is on another one, that one's agent tells by way of the datastore.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { parseAnswer, requestKey, tracePrefix } from "../../src/observe/exchange/protocol.ts";
import { type Lab, MARGAY, createLab, eventually, execute } from "./harness.ts";
import { factsOf, leftOf, traceOnNode, traceWithOther } from "./trace-harness.ts";

const ETCD = new URL("../../src/lab/topologies/three-hosts-etcd.yaml", import.meta.url).pathname;

async function ends(lab: Lab): Promise<readonly [a: string, b: string, d: string]> {
  return [await lab.address("a"), await lab.address("b"), await lab.address("d")];
}

async function packetSockets(lab: Lab, node: string): Promise<number> {
  const lines = (await lab.exec(node, "cat", "/proc/net/packet")).trim().split("\n");
  return lines.length - 1;
}

async function assertBothEnds(lab: Lab): Promise<void> {
  const [a, , d] = await ends(lab);
  const far = await traceWithOther(lab, a, d);
  assert.equal(far.ok, true);
  assert.deepEqual(far.destination, { name: d, address: d, node: "host2" });
  assert.deepEqual(far.aligned, ["host2"]);
  const stations = ["there", "back"].map((direction) =>
    far.steps.flatMap(({ station, fact, ...step }) =>
      step.direction === direction && fact.kind === "seen" ? [`${station} ${fact.direction}`] : [],
    ),
  );
  assert.deepEqual(stations, [
    [`${a} out`, "host1 in", "host1 out", "host2 in", "host2 out", `${d} in`],
    [`${d} out`, "host2 in", "host2 out", "host1 in", "host1 out", `${a} in`],
  ]);
  const [route] = factsOf(far, "route", { station: "host2", direction: "there" });
  assert.equal(route?.route.dst, `${d}/32`);
  assert.equal(factsOf(far, "neighbour", { station: "host2" }).length, 2);
  const times = factsOf(far, "seen", {}).map(({ atUs }) => atUs);
  assert.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
  );
  assert.deepEqual(await leftOf(lab), []);
}

/** The agent is there, and does nothing. */
async function assertSilence(lab: Lab): Promise<void> {
  const [a, , d] = await ends(lab);
  const { agent } = await lab.host("host2");
  const pid = agent?.pid ?? assert.fail();
  process.kill(pid, "SIGSTOP");
  try {
    const trace = await traceOnNode(lab, a, d);
    assert.equal(trace.ok, true);
    const [unobserved] = factsOf(trace, "unobserved", { station: "host1", direction: "there" });
    assert.equal(unobserved?.reason, 'the agent of "host2" did not answer in 3 s');
    assert.equal(factsOf(trace, "delivered", { direction: "back" }).length, 1);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await eventually(async () => (await leftOf(lab)).length === 0, "the request removed");
}

describe("a trace on a node", () => {
  it("has the other node's agent take part, and leaves nothing behind", async () => {
    await using lab = await createLab();
    const [a, b] = await ends(lab);
    const sockets = await packetSockets(lab, "host2");
    const near = await traceOnNode(lab, a, b);
    assert.equal(near.ok, true);
    assert.deepEqual(near.destination, { ...near.source, name: b, address: b });
    assert.equal(factsOf(near, "delivered", {}).length, 2);
    await assertBothEnds(lab);

    await assertSilence(lab);
    await eventually(async () => (await packetSockets(lab, "host2")) === sockets, "no packet socket left");
  });

  it("goes on without a datastore, and says so", async () => {
    await using lab = await createLab({ routeSource: "datastore" });
    const [a, , d] = await ends(lab);
    const { netns } = await lab.host("host1");
    const command = [MARGAY, "trace", a, d, "--socket", "/run/margay/none.sock"];
    const { code, stdout } = await execute("ip", ["netns", "exec", netns, ...command]);
    assert.equal(code, 0);
    assert.match(stdout, /cannot be seen from this node: no other node can be asked, for this one's agent/);
  });

  it("is nothing that an agent keeps open for an asker that died, or takes from anyone", async () => {
    await using lab = await createLab();
    const [src, , dst] = await ends(lab);
    const sockets = await packetSockets(lab, "host2");
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const answers: string[] = [];
    const stop = new AbortController();
    const { revision } = await store.list(tracePrefix("host2"));
    const watching = (async () => {
      for await (const changes of store.watch(tracePrefix("host2"), { after: revision, signal: stop.signal }))
        for (const change of changes)
          if (change.kind === "put" && change.entry.key.endsWith("/answer")) {
            const answer = parseAnswer(change.entry.value);
            answers.push(answer?.phase === "refused" ? answer.reason : (answer?.phase ?? "unreadable"));
          }
    })();
    const ask = async (id: string, request: object): Promise<void> => {
      await store.put(requestKey("host2", id.repeat(16)), JSON.stringify(request));
    };
    const marker = { kind: "icmp", src, dst, identifier: 1, sequence: 4 };
    const request = { version: 1, asker: "host1", createdMs: Date.now(), marker, outcome: null };
    await ask("a", request);
    await eventually(async () => (await packetSockets(lab, "host2")) === sockets + 1, "a packet socket");
    await ask("b", { ...request, marker: { ...marker, src: "192.0.2.1" } });
    await ask("c", { ...request, marker: { ...marker, secret: 1 } });
    await eventually(() => Promise.resolve(answers.length >= 3), "three answers");
    assert.deepEqual(answers.toSorted(), [
      "listening",
      "neither address is that of a container here, or the other is in no pool",
      "the request cannot be read",
    ]);
    await eventually(async () => (await leftOf(lab)).length === 0, "all requests removed");
    await eventually(async () => (await packetSockets(lab, "host2")) === sockets, "no packet socket left");
    stop.abort();
    await watching;
  });

  it("has it take part by way of etcd, too", async () => {
    await using lab = await createLab({ topology: ETCD });
    await assertBothEnds(lab);
    await assertSilence(lab);
  });
});
