// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EchoSocket, Fate } from "./echo-socket.ts";
import { findPathSize } from "./path-size.ts";

const LOST: Fate = { kind: "lost", reason: "no answer" };
const { signal } = new AbortController();

/** A way that lets packets of up to a length pass, and what becomes of the others; counts what is sent. */
function way(limit: number, beyond: Fate): Pick<EchoSocket, "send"> & { sent: number } {
  return {
    sent: 0,
    send(bytes) {
      this.sent++;
      return Promise.resolve(bytes <= limit ? { kind: "answered" } : beyond);
    },
  };
}

describe("the size of a way", () => {
  it("costs one packet where the wanted one passes", async () => {
    const socket = way(1500, LOST);
    assert.deepEqual(await findPathSize(socket, 1500, { signal }), { kind: "passes" });
    assert.equal(socket.sent, 1);
  });

  for (const beyond of [LOST, { kind: "tooLarge" }] satisfies Fate[]) {
    it(`is found to the octet where longer packets are ${beyond.kind}`, async () => {
      for (const limit of [68, 69, 576, 1280, 1400, 1498, 1499]) {
        const socket = way(limit, beyond);
        const size = await findPathSize(socket, 1500, { signal });
        assert.deepEqual(size, { kind: "tooSmall", found: limit });
        assert.ok(socket.sent <= (beyond.kind === "lost" ? 36 : 14), `${socket.sent} packets`);
      }
    });
  }

  it("is none where not even the smallest packet comes back", async () => {
    const socket = way(0, LOST);
    const size = await findPathSize(socket, 1500, { signal });
    assert.deepEqual(size, { kind: "unreachable", reason: "no answer" });
    assert.equal(socket.sent, 6);
  });

  it("is not taken for smaller because of a lost packet", async () => {
    let sent = 0;
    const send = (): Promise<Fate> => Promise.resolve(++sent < 3 ? LOST : { kind: "answered" });
    assert.deepEqual(await findPathSize({ send }, 1500, { signal }), { kind: "passes" });
  });
});
