// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  NLMSG_NOOP,
  decodeMessages,
  encodeMessages,
} from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/** What every socket does, the kernel's and the fake. The fake must acknowledge as the kernel does. */
export function describeNetlinkSocket(name: string, open: () => NetlinkSocket): void {
  describe(`a netlink socket (${name})`, () => {
    it("has nothing to take where nothing was sent", async () => {
      using socket = open();
      assert.equal(socket.take(), undefined);
      assert.equal(await socket.read(), undefined);
    });

    it("has the acknowledgement queued when a send resolves", async () => {
      using socket = open();
      await socket.send(noop(7));
      assert.deepEqual(sequences(socket.take()), [7]);
      await socket.send(noop(8));
      assert.deepEqual(sequences(await socket.read()), [8]);
      assert.equal(socket.take(), undefined);
    });

    it("brings one datagram at a time, in the order of the requests", async () => {
      using socket = open();
      await socket.send(Uint8Array.of(...noop(1), ...noop(2), ...noop(3)));
      assert.deepEqual(sequences(socket.take()), [1]);
      assert.deepEqual(sequences(await socket.read()), [2]);
      assert.deepEqual(sequences(socket.take()), [3]);
    });

    it("brings no answer to what asks for none", async () => {
      using socket = open();
      await socket.send(noop(1, NLM_F_REQUEST));
      assert.equal(socket.take(), undefined);
    });

    it("is readable once something is queued, before or during the wait", async () => {
      using socket = open();
      await socket.send(noop(1));
      assert.equal(await socket.readable(), true);
      assert.deepEqual(sequences(socket.take()), [1]);
      const readable = socket.readable();
      await socket.send(noop(2));
      assert.equal(await readable, true);
      assert.deepEqual(sequences(socket.take()), [2]);
    });

    it("is not readable once the signal aborts, before or during the wait", async () => {
      using socket = open();
      assert.equal(await socket.readable(AbortSignal.abort()), false);
      const abort = new AbortController();
      const readable = socket.readable(abort.signal);
      abort.abort();
      assert.equal(await readable, false);
    });
  });
}

function noop(sequence: number, flags = NLM_F_REQUEST | NLM_F_ACK): Uint8Array {
  return encodeMessages([{ type: NLMSG_NOOP, flags, sequence, portId: 0, body: new Uint8Array(0) }]);
}

function sequences(bytes: Uint8Array | undefined): readonly number[] {
  assert.ok(bytes, "nothing was queued");
  return Array.from(decodeMessages(bytes), ({ type, sequence }) => {
    assert.equal(type, NLMSG_ERROR);
    return sequence;
  });
}
