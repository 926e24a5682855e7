// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "./connection.ts";
import { acknowledge, acknowledgement, createFakeSocket } from "./fake-socket.ts";
import { KernelError } from "./kernel-error.ts";
import {
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  NLM_F_REQUEST,
  NLMSG_DONE,
} from "./message.ts";
import type { Dump, NetlinkRequest } from "./request.ts";
import { wire } from "./wire.ts";

const SOME_TYPE = 99;
const ENOENT = 2;
const ENOBUFS = 105;

function request(value: number): NetlinkRequest {
  return { description: `do ${value}`, type: SOME_TYPE, flags: 0, body: Uint8Array.of(value, 0, 0, 0) };
}

/** A dump of single octets. */
const OCTETS: Dump<number> = {
  request: { description: "list octets", type: SOME_TYPE, flags: NLM_F_DUMP, body: new Uint8Array(4) },
  decode({ body }) {
    if (body[0] === 0xff) throw new RangeError("Cannot decode octet");
    return body[0];
  },
};

function part(sequence: number, octet: number, flags = NLM_F_MULTI): NetlinkMessage {
  return { type: SOME_TYPE, flags, sequence, portId: 0, body: Uint8Array.of(octet, 0, 0, 0) };
}

function done(sequence: number, body: Uint8Array = new Uint8Array(4)): NetlinkMessage {
  return { type: NLMSG_DONE, flags: NLM_F_MULTI, sequence, portId: 0, body };
}

test("a write ends where another request would make it longer than the kernel takes", async () => {
  const writes: number[] = [];
  const socket = createFakeSocket(acknowledge);
  const trace = (direction: string, bytes: Uint8Array): void => {
    if (direction === "out") writes.push(bytes.length);
  };
  await using connection = new Connection(socket, { trace });
  const sizes = [60_000, 60_000, 60_000, 200_000, 4];
  const requests = sizes.map((size) => ({ ...request(0), body: new Uint8Array(size) }));
  const results = await connection.execute(requests);
  assert.deepEqual(
    results,
    sizes.map(() => undefined),
  );
  assert.deepEqual(writes, [120_032, 60_016, 200_016, 20]);
});

test("only the last request of a batch asks for an acknowledgement, and all are numbered in order", async () => {
  const sent: NetlinkMessage[] = [];
  const socket = createFakeSocket((message) => {
    sent.push(message);
    return acknowledge(message);
  });
  await using connection = new Connection(socket);
  assert.deepEqual(await connection.execute([1, 2, 3].map(request)), [undefined, undefined, undefined]);
  assert.deepEqual(
    sent.map(({ flags, sequence }) => [flags, sequence]),
    [
      [NLM_F_REQUEST, 1],
      [NLM_F_REQUEST, 2],
      [NLM_F_REQUEST | NLM_F_ACK, 3],
    ],
  );
});

test("every request gets its own result, in order, over several batches", async () => {
  const isOdd = ({ body }: NetlinkMessage): boolean => (body[0] ?? 0) % 2 === 1;
  const socket = createFakeSocket((message) =>
    isOdd(message) ? [[acknowledgement(message, ENOENT)]] : acknowledge(message),
  );
  await using connection = new Connection(socket);
  const results = await connection.execute(Array.from({ length: 500 }, (_, index) => request(index % 256)));
  const expected = Array.from({ length: 500 }, (_, index) =>
    index % 2 === 1 ? `Cannot do ${index % 256}: no such file or directory (ENOENT)` : undefined,
  );
  assert.deepEqual(
    results.map((result) => result?.message),
    expected,
  );
});

test("no requests need no kernel", async () => {
  await using connection = new Connection(createFakeSocket(() => assert.fail("something was sent")));
  assert.deepEqual(await connection.execute([]), []);
});

test("an answer to something else is passed over", async () => {
  const socket = createFakeSocket((message) => [
    [acknowledgement({ ...message, sequence: message.sequence - 1 }, ENOENT)],
    [acknowledgement({ ...message, sequence: message.sequence + 1 }, ENOENT)],
    [{ ...message, type: SOME_TYPE + 1 }],
    [acknowledgement(message, 0)],
  ]);
  await using connection = new Connection(socket);
  assert.deepEqual(await connection.execute([request(1)]), [undefined]);
});

test("an answer that comes late is waited for", async () => {
  const socket = createFakeSocket((message) => {
    setImmediate(() => {
      socket.deliver([acknowledgement(message, ENOENT)]);
    });
    return [];
  });
  await using connection = new Connection(socket);
  const [result] = await connection.execute([request(1)]);
  assert.equal(result?.code, "ENOENT");
});

test("lost answers are an error, and those left over do not disturb the next request", async () => {
  let isFirst = true;
  const socket = createFakeSocket((message) => {
    if (!isFirst) return acknowledge(message);
    isFirst = false;
    return [new KernelError("read", ENOBUFS), [acknowledgement(message, ENOENT)]];
  });
  await using connection = new Connection(socket);
  await assert.rejects(connection.execute([request(1)]), { code: "ENOBUFS" });
  assert.deepEqual(await connection.execute([request(2)]), [undefined]);
});

test("a wait for an answer that never comes ends with the signal, and the connection goes on", async () => {
  const abort = new AbortController();
  const socket = createFakeSocket((message) => {
    if (message.body[0] === 2) return acknowledge(message);
    setImmediate(() => {
      abort.abort(new Error("enough"));
    });
    return [];
  });
  await using connection = new Connection(socket);
  await assert.rejects(connection.execute([request(1)], { signal: abort.signal }), /enough/);
  assert.deepEqual(await connection.execute([request(2)]), [undefined]);
});

test("callers take turns", async () => {
  let inside = 0;
  const socket = createFakeSocket((message) => {
    assert.equal(++inside, 1, "a second request before the first was answered");
    setImmediate(() => {
      inside--;
      socket.deliver([acknowledgement(message, 0)]);
    });
    return [];
  });
  await using connection = new Connection(socket);
  const results = await Promise.all([1, 2, 3].map((value) => connection.execute([request(value)])));
  assert.deepEqual(results, [[undefined], [undefined], [undefined]]);
});

test("a listing is gathered from many datagrams up to its end", async () => {
  const socket = createFakeSocket(({ sequence }) => [
    [part(sequence, 1), part(sequence, 2)],
    [part(sequence, 3), part(sequence - 1, 9)],
    [part(sequence, 4), done(sequence)],
  ]);
  await using connection = new Connection(socket);
  assert.deepEqual(await connection.list(OCTETS), [1, 2, 3, 4]);
});

test("an acknowledgement ends the listing of a single object", async () => {
  const socket = createFakeSocket((message) => [
    [part(message.sequence, 5, 0)],
    [acknowledgement(message, 0)],
  ]);
  await using connection = new Connection(socket);
  assert.deepEqual(await connection.list(OCTETS), [5]);
});

test("a listing that the table changed under is read again", async () => {
  let attempts = 0;
  const socket = createFakeSocket(({ sequence }) => {
    attempts++;
    const flags = attempts < 3 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI;
    return [[part(sequence, attempts, flags)], [done(sequence)]];
  });
  await using connection = new Connection(socket);
  assert.deepEqual(await connection.list(OCTETS), [3]);
});

test("a table that never holds still is given up in the end", async () => {
  const socket = createFakeSocket(({ sequence }) => [
    [part(sequence, 1, NLM_F_MULTI | NLM_F_DUMP_INTR), done(sequence)],
  ]);
  await using connection = new Connection(socket);
  await assert.rejects(connection.list(OCTETS), /Cannot list octets: the table changed during each of 10/);
});

const TRANSACTION = { begin: request(100), end: request(101) };

test("what takes effect together goes in one write, and its last request alone is acknowledged", async () => {
  const sent: NetlinkMessage[] = [];
  const socket = createFakeSocket((message) => {
    sent.push(message);
    return (message.flags & NLM_F_ACK) === 0 ? [] : [[acknowledgement(message, 0)]];
  });
  await using connection = new Connection(socket);
  assert.equal(await connection.executeTogether([request(1), request(2)], TRANSACTION), undefined);
  assert.deepEqual(
    sent.map(({ body, flags }) => [body[0], flags]),
    [
      [100, NLM_F_REQUEST],
      [1, NLM_F_REQUEST],
      [2, NLM_F_REQUEST | NLM_F_ACK],
      [101, NLM_F_REQUEST],
    ],
  );
});

for (const [what, failing] of [
  ["one of the requests", 1],
  ["the last of them", 2],
  ["the transaction as a whole, after which nothing else is answered", 100],
] as const)
  test(`what takes effect together has failed with ${what}`, async () => {
    const socket = createFakeSocket((message) => {
      const value = message.body[0];
      if (value === failing) return [[acknowledgement(message, ENOENT)]];
      return (message.flags & NLM_F_ACK) === 0 || failing === 100 ? [] : [[acknowledgement(message, 0)]];
    });
    await using connection = new Connection(socket);
    const error = await connection.executeTogether([request(1), request(2)], TRANSACTION);
    assert.equal(error?.message.startsWith(`Cannot do ${failing}: `), true, error?.message);
  });

test("an error ends a listing, whether it comes alone or at the end", async () => {
  const refuse = createFakeSocket((message) => [[acknowledgement(message, ENOENT)]]);
  await using refused = new Connection(refuse);
  await assert.rejects(refused.list(OCTETS), { code: "ENOENT", op: "list octets" });
  const failLate = createFakeSocket(({ sequence }) => [
    [part(sequence, 1)],
    [done(sequence, wire`fe ff ff ff`)],
  ]);
  await using failed = new Connection(failLate);
  await assert.rejects(failed.list(OCTETS), { code: "ENOENT" });
});

test("a message that cannot be decoded fails the listing only once that is read to its end", async () => {
  const socket = createFakeSocket(({ sequence }) => [
    [part(sequence, 0xff)],
    [part(sequence, 1)],
    [done(sequence)],
  ]);
  await using connection = new Connection(socket);
  await assert.rejects(connection.list(OCTETS), /Cannot decode octet/);
  assert.equal(socket.take(), undefined);
});

test("a signal that has aborted keeps everything from being sent", async () => {
  await using connection = new Connection(createFakeSocket(() => assert.fail("something was sent")));
  const options = { signal: AbortSignal.abort(new Error("enough")) };
  await assert.rejects(connection.execute([request(1)], options), /enough/);
  await assert.rejects(connection.list(OCTETS, options), /enough/);
});

test("closing waits for what is under way, and refuses what comes after", async () => {
  const socket = createFakeSocket((message) => {
    setImmediate(() => {
      assert.equal(socket.isClosed, false);
      socket.deliver([acknowledgement(message, 0)]);
    });
    return [];
  });
  const connection = new Connection(socket);
  const { promise: sent, resolve } = Promise.withResolvers<undefined>();
  const running = connection.execute([request(1)]);
  setImmediate(resolve, undefined);
  await sent;
  await connection[Symbol.asyncDispose]();
  assert.deepEqual(await running, [undefined]);
  assert.equal(socket.isClosed, true);
  await assert.rejects(connection.execute([request(2)]), /it is closed/);
});

test("the trace sees every datagram both ways", async () => {
  const seen: string[] = [];
  const trace = (direction: "out" | "in", bytes: Uint8Array): void => {
    seen.push(`${direction} ${bytes.length}`);
  };
  await using connection = new Connection(createFakeSocket(), { trace });
  await connection.execute([request(1), request(2)]);
  assert.deepEqual(seen, ["out 40", "in 36"]);
});
