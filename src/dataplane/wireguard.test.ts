// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WIREGUARD_DEVICE, type WantedWireguard, wireguardKey } from "../desired/wanted.ts";
import { wireguardPublicKeyFromBytes } from "../net/wireguard-key.ts";
import { LinkTable } from "./link.ts";
import { createWireguardTable, planWireguard, type SeenWireguard } from "./wireguard.ts";

const [KEY, NEXT] = [1, 2].map((octet) => wireguardPublicKeyFromBytes(new Uint8Array(32).fill(octet)));
const WANTED = {
  ifName: WIREGUARD_DEVICE,
  publicKey: KEY,
  listenPort: 51820,
  mark: 0x100000,
} as WantedWireguard;

/** What is asked for, beside the key; `undefined` where nothing is. */
function changeOf(wanted: WantedWireguard, seen: SeenWireguard | undefined): object | undefined {
  const links = new LinkTable();
  const link = { index: 9, name: WIREGUARD_DEVICE, kind: "wireguard", mtu: 1440, up: true } as const;
  links.see({ ...link, running: true, flags: 0 });
  const table = createWireguardTable();
  const key = wireguardKey(WIREGUARD_DEVICE);
  table.want(new Map([[key, wanted]]));
  table.see(key, seen);
  const plan = planWireguard(key, table, links);
  if (plan.kind !== "change") return undefined;
  const [step] = plan.requests;
  return step && { needsKey: step.needsKey, ...step.change };
}

describe("a WireGuard device", () => {
  it("that is new is told everything", () => {
    assert.deepEqual(changeOf(WANTED, undefined), { needsKey: true, listenPort: 51820, fwmark: 0x100000 });
  });

  it("gets another key, and keeps its socket with what waits there", () => {
    assert.deepEqual(changeOf({ ...WANTED, publicKey: NEXT } as WantedWireguard, WANTED), { needsKey: true });
  });

  it("gets another port", () => {
    assert.deepEqual(changeOf({ ...WANTED, listenPort: 51821 }, WANTED), {
      needsKey: false,
      listenPort: 51821,
    });
  });

  it("that is as it should be is left alone", () => {
    assert.equal(changeOf(WANTED, WANTED), undefined);
  });
});
