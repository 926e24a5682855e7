// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../system/random.ts";
import type { TraceOutcome, Tracer } from "./source.ts";
import { createTraceDesk } from "./trace-desk.ts";
import { parseTraceQuestion } from "./trace-question.ts";

const never = new AbortController().signal;

describe("a question for a trace", () => {
  it("has two ends, and a protocol with its port", () => {
    const parsed = parseTraceQuestion("source=a&destination=10.1.0.1&proto=tcp&port=80");
    const question = { source: "a", destination: "10.1.0.1", proto: "tcp", port: 80 };
    assert.deepEqual(parsed, { kind: "ok", question });
    assert.deepEqual(parseTraceQuestion("destination=b&source=a"), {
      kind: "ok",
      question: { source: "a", destination: "b", proto: "icmp", port: undefined },
    });
  });

  const wrong = [
    "",
    "source=a",
    "destination=a",
    "source=&destination=b",
    "source=a&destination=b&source=c",
    "source=a&destination=b&size=9",
    "source=a&destination=b&proto=sctp",
    "source=a&destination=b&proto=ICMP",
    "source=a&destination=b&port=80",
    "source=a&destination=b&proto=tcp",
    "source=a&destination=b&proto=tcp&port=0",
    "source=a&destination=b&proto=tcp&port=65536",
    "source=a&destination=b&proto=tcp&port=080",
    "source=a&destination=b&proto=tcp&port=8e1",
    "source=-a&destination=b",
    "source=a%20b&destination=b",
    "source=a%0ab&destination=b",
    "source=a&destination=../../etc",
    "source=a%00&destination=b",
    `source=${"a".repeat(300)}&destination=b`,
    "__proto__=a&source=a&destination=b",
  ];
  for (const query of wrong)
    it(`is none in ${JSON.stringify(query.slice(0, 60))}`, () => {
      assert.equal(parseTraceQuestion(query).kind, "invalid");
    });

  it("is read or refused, and never half read, whatever comes", () => {
    const random = createRandom(23);
    const pieces = [
      "source",
      "destination",
      "proto",
      "port",
      "=",
      "&",
      "a",
      "10.1.0.1",
      "tcp",
      "80",
      "%",
      "%zz",
      "\0",
      "é",
      "+",
    ];
    const pick = (): string => pieces[Math.floor(random() * pieces.length)] ?? "";
    for (let round = 0; round < 10_000; round++) {
      const parsed = parseTraceQuestion(Array.from({ length: 12 }, pick).join(""));
      if (parsed.kind === "invalid") continue;
      assert.match(parsed.question.source, /^[A-Za-z0-9][A-Za-z0-9.:_-]*$/);
      assert.equal(parsed.question.proto === "icmp", parsed.question.port === undefined);
    }
  });
});

describe("the desk for traces", () => {
  const QUERY = "source=a&destination=b";

  it("has one probe under way, and asks others to come again", async () => {
    const { promise, resolve } = Promise.withResolvers<TraceOutcome>();
    let asked = 0;
    const desk = createTraceDesk(() => (asked++, promise));
    const first = desk(QUERY, never);
    const second = await desk(QUERY, never);
    assert.deepEqual([second.status, second.headers], [503, { "retry-after": "2" }]);
    resolve({ kind: "traced", trace: { ok: true } });
    assert.deepEqual([(await first).status, (await first).body], [200, '{"ok":true}']);
    assert.equal((await desk(QUERY, never)).status, 200);
    assert.equal(asked, 2);
  });

  it("tells what it cannot do", async () => {
    assert.equal((await createTraceDesk(undefined)(QUERY, never)).status, 404);
    const absent: Tracer = () => Promise.resolve({ kind: "absent", why: "there is no a" });
    const desk = createTraceDesk(absent);
    assert.equal((await desk("source=a", never)).status, 400);
    const reply = await desk(QUERY, never);
    assert.deepEqual([reply.status, reply.body], [404, '{"error":"there is no a"}']);
  });

  it("ends a probe that lasts, and is free again after one that failed", async () => {
    const waiting: Tracer = (_question, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          reject(signal.reason as Error);
        });
      });
    const desk = createTraceDesk(waiting, 20);
    assert.equal((await desk(QUERY, never)).status, 503);
    const gone = new AbortController();
    const left = desk(QUERY, gone.signal);
    gone.abort(new Error("gone"));
    await assert.rejects(left, /gone/);
    assert.equal((await desk(QUERY, never)).status, 503);
  });
});
