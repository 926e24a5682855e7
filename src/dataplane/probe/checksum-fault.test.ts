// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findChecksumFault } from "./checksum-fault.ts";

/** A way on which datagrams are answered as listed, with a checksum by the card and otherwise; what comes after the last is not. */
function way(byCard: readonly boolean[], otherwise: readonly boolean[]) {
  const [one, other] = [byCard.values(), otherwise.values()];
  const state = { sent: 0 };
  const ask = ({ isByCard }: { readonly isByCard: boolean }): Promise<boolean> => {
    state.sent++;
    return Promise.resolve((isByCard ? one : other).next().value ?? false);
  };
  return { ask, state };
}

describe("whether checksums come out right", () => {
  it("costs one datagram where they do", async () => {
    const { ask, state } = way([true], []);
    assert.equal(await findChecksumFault(ask), "right");
    assert.equal(state.sent, 1);
  });

  it("is denied where only the other datagrams are answered, every time", async () => {
    const { ask, state } = way([], [true, true, true]);
    assert.equal(await findChecksumFault(ask), "wrong");
    // Linux answers six at once, and then one a second (net.ipv4.icmp_ratelimit): what the others lack is not the answer.
    assert.equal(state.sent, 7);
  });

  it("cannot be told where nothing is answered, nor where that stops", async () => {
    assert.equal(await findChecksumFault(way([], []).ask), "unknown");
    assert.equal(await findChecksumFault(way([], [true, true]).ask), "unknown");
  });

  it("is not denied because of lost packets", async () => {
    assert.equal(await findChecksumFault(way([false, false, true], [true, true]).ask), "right");
    assert.equal(await findChecksumFault(way([false, false, false, true], [true, true, true]).ask), "right");
  });
});
