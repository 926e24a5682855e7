// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "../../net/ip.ts";
import { type RtEvent, decodeEvent } from "./event.ts";
import { createFakeSocket } from "./fake-socket.ts";
import { KernelError } from "./kernel-error.ts";
import type { NetlinkMessage } from "./message.ts";
import { RTM_DELNEIGH, RTM_NEWNEIGH, replaceNeighbour } from "./neighbour.ts";
import { readEvents } from "./subscription.ts";

const ENOBUFS = 105;

function neighbourMessage(lastOctet: number, type = RTM_NEWNEIGH): NetlinkMessage {
  const ip = parseIp(`10.0.0.${lastOctet}`);
  const { body } = replaceNeighbour({ ifIndex: 1, ip, state: 0 });
  return { type, flags: 0, sequence: 0, portId: 0, body };
}

function summary(events: readonly RtEvent[]): readonly string[] {
  return events.map((event) =>
    event.kind === "neighbour" ? `${event.change} ${event.neighbour.ip}` : event.kind,
  );
}

async function next(events: AsyncGenerator<readonly RtEvent[]>): Promise<readonly string[] | "end"> {
  const result = await events.next();
  return result.done === true ? "end" : summary(result.value);
}

test("what waits in the socket comes as one batch", async () => {
  const socket = createFakeSocket();
  const abort = new AbortController();
  const events = readEvents(socket, abort.signal, { decode: decodeEvent });
  socket.deliver([neighbourMessage(1), neighbourMessage(2)]);
  socket.deliver([neighbourMessage(1, RTM_DELNEIGH)]);
  assert.deepEqual(await next(events), ["new 10.0.0.1", "new 10.0.0.2", "deleted 10.0.0.1"]);
  const waiting = next(events);
  socket.deliver([neighbourMessage(3)]);
  assert.deepEqual(await waiting, ["new 10.0.0.3"]);
});

test("messages that are about nothing known make no batch", async () => {
  const socket = createFakeSocket();
  const events = readEvents(socket, new AbortController().signal, { decode: decodeEvent });
  socket.deliver([{ ...neighbourMessage(1), type: 88 }]);
  const waiting = next(events);
  socket.deliver([neighbourMessage(2)]);
  assert.deepEqual(await waiting, ["new 10.0.0.2"]);
});

test("an overrun takes all that is queued with it, and what comes after is told again", async () => {
  const socket = createFakeSocket();
  const events = readEvents(socket, new AbortController().signal, { decode: decodeEvent });
  socket.deliver([neighbourMessage(1)]);
  socket.deliver(new KernelError("read", ENOBUFS));
  // More than one round of discarding.
  for (let count = 0; count < 600; count++) socket.deliver([neighbourMessage(2)]);
  socket.deliver(new KernelError("read", ENOBUFS));
  socket.deliver([neighbourMessage(2)]);
  assert.deepEqual(await next(events), ["overrun"]);
  socket.deliver([neighbourMessage(3)]);
  assert.deepEqual(await next(events), ["new 10.0.0.3"]);
});

test("an error of another kind ends the events with it", async () => {
  const socket = createFakeSocket();
  const events = readEvents(socket, new AbortController().signal, { decode: decodeEvent });
  socket.deliver(new KernelError("read", 9));
  await assert.rejects(next(events), { code: "EBADF" });
});

test("they end quietly when the signal aborts, even with events waiting", async () => {
  const socket = createFakeSocket();
  const abort = new AbortController();
  const events = readEvents(socket, abort.signal, { decode: decodeEvent });
  const waiting = next(events);
  abort.abort();
  assert.equal(await waiting, "end");
  socket.deliver([neighbourMessage(1)]);
  assert.equal(await next(readEvents(socket, abort.signal, { decode: decodeEvent })), "end");
});
