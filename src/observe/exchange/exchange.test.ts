// SPDX-License-Identifier: Apache-2.0
// What nodes write for each other, on a real store; the agent's own part is in test/system/trace.test.ts.
import assert from "node:assert/strict";
import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { openEmbeddedStore } from "../../datastore/embedded.ts";
import type { Store } from "../../datastore/store.ts";
import { parseIpv4 } from "../../net/ipv4.ts";
import { systemClock } from "../../system/clock.ts";
import { askNode } from "./ask.ts";
import {
  MOST_ANSWER_BYTES,
  MOST_REQUESTS,
  parseAnswer,
  parseRequest,
  parseTraceKey,
  requestKey,
  tracePrefix,
} from "./protocol.ts";

const MARKER = {
  kind: "icmp",
  src: parseIpv4("10.1.0.1"),
  dst: parseIpv4("10.1.64.1"),
  identifier: 7,
  sequence: 8,
} as const;
const REQUEST = { version: 1, asker: "host1", createdMs: 1000, marker: MARKER, outcome: null };
const OUTCOME = { probe: { ...MARKER, packetBytes: 84 }, isAnswered: true };
const STATION = {
  name: "host2",
  kind: "node",
  links: [{ index: 2, name: "eth0", mtu: 1500, up: true, running: true }],
  addresses: [{ ifIndex: 2, ip: "192.168.0.102", prefixLength: 24 }],
  neighbours: { before: [], after: [] },
  lookups: [],
  settings: { "net/ipv4/ip_forward": "1" },
};
const SIGHTING = {
  station: "host2",
  ifIndex: 2,
  direction: "in",
  atUs: 3.5,
  headers: [
    { kind: "ethernet", src: "02:00:00:00:00:01", dst: "02:00:00:00:00:02" },
    { kind: "ipv4", src: "10.1.0.1", dst: "10.1.64.1", protocol: 1, ttl: 63, length: 84 },
    { kind: "icmp", type: 3, code: 1, quoted: [{ kind: "udp", srcPort: 1, dstPort: 2 }] },
  ],
};
const REPORT = {
  phase: "report",
  stations: [STATION],
  sightings: [SIGHTING],
  resolutions: [],
  destination: "host2",
};

const DROP = { table: "ip other", chain: "f", rule: "ip protocol icmp drop", isAround: false };

describe("what nodes write for each other", () => {
  it("is read as it was written", () => {
    assert.deepEqual(parseRequest(JSON.stringify(REQUEST)), REQUEST);
    const told = { ...REQUEST, outcome: OUTCOME };
    assert.deepEqual(parseRequest(JSON.stringify(told)), told);
    const asked = { ...told, dropped: "back" };
    assert.deepEqual(parseRequest(JSON.stringify(asked)), asked);
    const answers = [REPORT, { phase: "drop", drop: DROP }, { phase: "drop", drop: { ...DROP, rule: null } }];
    for (const answer of answers) assert.deepEqual(parseAnswer(JSON.stringify(answer)), answer);
  });

  it("is not read where anything in it is odd", () => {
    const requests: readonly unknown[] = [
      { ...REQUEST, version: 2 },
      { ...REQUEST, more: 1 },
      { ...REQUEST, asker: "host 1" },
      { ...REQUEST, marker: { ...MARKER, src: "10.1.0.256" } },
      { ...REQUEST, marker: { ...MARKER, identifier: 65_536 } },
      { ...REQUEST, outcome: { ...OUTCOME, isAnswered: "yes" } },
      { ...REQUEST, dropped: "everywhere" },
      { ...REQUEST, asker: "a".repeat(5000) },
      [],
      null,
    ];
    for (const request of requests) assert.equal(parseRequest(JSON.stringify(request)), undefined);
    assert.equal(parseRequest("{"), undefined);
    const answers: readonly unknown[] = [
      { ...REPORT, stations: Array(5).fill(STATION) },
      { ...REPORT, stations: [{ ...STATION, name: "host2\u001b[2J" }] },
      { ...REPORT, stations: [{ ...STATION, secret: "x" }] },
      { ...REPORT, sightings: [{ ...SIGHTING, atUs: -1 }] },
      { ...REPORT, sightings: [{ ...SIGHTING, headers: [{ kind: "sctp" }] }] },
      { ...REPORT, sightings: [{ ...SIGHTING, headers: Array(20).fill(SIGHTING.headers[0]) }] },
      { phase: "refused", reason: "x".repeat(400) },
      { phase: "done" },
      { phase: "drop", drop: { ...DROP, rule: "drop\u001b[2J" } },
      { phase: "drop", drop: { ...DROP, chain: "f".repeat(301) } },
      { phase: "drop", drop: { ...DROP, rule: undefined } },
      { phase: "drop", drop: { ...DROP, isAround: "no" } },
      { phase: "drop" },
    ];
    for (const answer of answers) assert.equal(parseAnswer(JSON.stringify(answer)), undefined);
    assert.equal(parseAnswer(JSON.stringify(REPORT).padEnd(MOST_ANSWER_BYTES + 1)), undefined);
  });

  it("stands below the node's name, and nowhere else", () => {
    const id = "0123456789abcdef";
    assert.deepEqual(parseTraceKey("host2", requestKey("host2", id)), { id, part: "request" });
    for (const key of [
      requestKey("host3", id),
      `${tracePrefix("host2")}${id}`,
      `${tracePrefix("host2")}${id}/request/x`,
      `${tracePrefix("host2")}0123/request`,
    ])
      assert.equal(parseTraceKey("host2", key), undefined);
    assert.throws(() => tracePrefix("a/b"), SyntaxError);
  });
});

describe("asking another node", () => {
  const directory = mkdtempDisposableSync(join(tmpdir(), "margay-exchange-"));
  const { signal } = new AbortController();
  let store: Store;
  before(() => {
    store = openEmbeddedStore({ path: join(directory.path, "store.db") });
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    directory.remove();
  });
  const keys = async (): Promise<readonly string[]> =>
    (await store.list("/margay/")).entries.map(({ key }) => key);
  /** Who is answered has all the time that it takes; who is not, waits for as long as `timeoutMs`. */
  const ask = (node: string, timeoutMs = 60_000) =>
    askNode({ store, clock: systemClock }, { node, asker: "host1", timeoutMs });

  /** Stands in for an agent: answers each state of a request with the next of `answers`. */
  async function answering(node: string, answers: readonly string[], until: AbortSignal): Promise<void> {
    let next = 0;
    const { revision } = await store.list(tracePrefix(node));
    for await (const changes of store.watch(tracePrefix(node), { after: revision, signal: until }))
      for (const change of changes) {
        if (change.kind !== "put" || !change.entry.key.endsWith("/request")) continue;
        const value = answers[next++];
        if (value !== undefined) await store.put(change.entry.key.replace(/request$/, "answer"), value);
      }
  }

  it("is told in vain where nobody is there, and leaves nothing behind", async () => {
    {
      await using remote = ask("absent", 300);
      assert.deepEqual(await remote.begin(MARKER, { signal }), {
        kind: "silent",
        reason: 'the agent of "absent" did not answer in 0.3 s',
      });
      assert.equal((await keys()).length, 1);
    }
    assert.deepEqual(await keys(), []);
  });

  it("gives what the agent there has seen, and removes both sides' words", async () => {
    const stop = new AbortController();
    const agent = answering(
      "host2",
      [JSON.stringify({ phase: "listening" }), JSON.stringify(REPORT)],
      stop.signal,
    );
    {
      await using remote = ask("host2", 60_000);
      const capture = await remote.begin(MARKER, { signal });
      if (capture.kind !== "listens") assert.fail(capture.reason);
      const report = await capture.collect(OUTCOME, { signal });
      assert.equal(report.kind === "report" && report.stations[0]?.name, "host2");
    }
    stop.abort();
    await agent;
    assert.deepEqual(await keys(), []);
  });

  it("is told the rule that drops the probe there, or that there is none", async () => {
    for (const [node, told] of [
      ["filtered", DROP],
      ["unfiltered", null],
    ] as const) {
      const stop = new AbortController();
      const answers = [{ phase: "listening" }, REPORT, { phase: "drop", drop: told }];
      const agent = answering(
        node,
        answers.map((answer) => JSON.stringify(answer)),
        stop.signal,
      );
      {
        await using remote = ask(node);
        const capture = await remote.begin(MARKER, { signal });
        if (capture.kind !== "listens") assert.fail(capture.reason);
        await capture.collect(OUTCOME, { signal });
        assert.deepEqual((await capture.findDrop("back", { signal })) ?? null, told);
      }
      stop.abort();
      await agent;
    }
    assert.deepEqual(await keys(), []);
  });

  it("believes nothing that is malformed or does not fit together", async () => {
    for (const [node, wrong] of [
      ["malformed", "{"],
      ["unfitting", JSON.stringify({ ...REPORT, destination: "nobody" })],
    ] as const) {
      const stop = new AbortController();
      const agent = answering(node, [JSON.stringify({ phase: "listening" }), wrong], stop.signal);
      {
        // Long enough for the first answer on a busy machine; the second is waited for in vain.
        await using remote = ask(node, 5000);
        const capture = await remote.begin(MARKER, { signal });
        if (capture.kind !== "listens") assert.fail(capture.reason);
        assert.equal((await capture.collect(OUTCOME, { signal })).kind, "silent");
      }
      stop.abort();
      await agent;
    }
  });

  it("clears away what was abandoned, and does not crowd", async () => {
    const fresh = JSON.stringify({ ...REQUEST, createdMs: Date.now() });
    const idOf = (index: number): string => index.toString(16).padStart(16, "0");
    for (let index = 0; index < MOST_REQUESTS; index++)
      await store.put(requestKey("busy", idOf(index)), fresh);
    await using remote = ask("busy", 300);
    const refused = await remote.begin(MARKER, { signal });
    assert.match(refused.kind === "silent" ? refused.reason : "", /too many requests/);
    for (let index = 0; index < MOST_REQUESTS; index++)
      await store.put(requestKey("busy", idOf(index)), JSON.stringify(REQUEST));
    const waited = await remote.begin(MARKER, { signal });
    assert.match(waited.kind === "silent" ? waited.reason : "", /did not answer/);
    assert.equal((await keys()).length, 1);
  });
});
