// SPDX-License-Identifier: Apache-2.0
// What two nodes with WireGuard keep to while they meet and change their keys, whoever does the devices' work.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { WireguardAccess } from "../../src/dataplane/kernel.ts";
import type { WireguardDriver } from "../../src/dataplane/wireguard/driver.ts";
import { generatePrivateKey, publicKeyOf } from "../../src/dataplane/wireguard/key-pair.ts";
import { WIREGUARD_DEVICE } from "../../src/desired/wanted.ts";
import type { WireguardPublicKey } from "../../src/net/wireguard-key.ts";
import { FAST_PING, eventually, lossOf, pause } from "./harness.ts";
import type { KernelOptions } from "./kernel-harness.ts";
import { type NodePair, type PairedNode, createNodePair, nodeFact } from "./node-pair.ts";

export interface PairDriver {
  readonly name: string;
  /** A driver for a namespace. */
  readonly create: (
    stack: AsyncDisposableStack,
    host: string,
    access: Parameters<NonNullable<KernelOptions["wireguard"]>>[0],
  ) => WireguardDriver;
}

/** How often the nodes meet: by chance, they do so at the same moment now and then. */
const MEETINGS = 5;
/** Of WireGuard: within it, a device begins one handshake with a peer only (`REKEY_TIMEOUT`). */
const REKEY_TIMEOUT_MS = 5000;

export function testWireguardPair({ name, create }: PairDriver): void {
  describe(`two nodes with WireGuard by ${name}`, () => {
    const stack = new AsyncDisposableStack();
    after(() => stack.disposeAsync());
    const keys = new Map<WireguardPublicKey, Uint8Array>();
    const newKey = (): WireguardPublicKey => {
      const privateKey = generatePrivateKey();
      const publicKey = publicKeyOf(privateKey);
      keys.set(publicKey, privateKey);
      return publicKey;
    };
    const accessOf = (host: string): NonNullable<KernelOptions["wireguard"]> => {
      const privateKey: WireguardAccess["privateKey"] = (key) =>
        Promise.resolve(keys.get(key) ?? assert.fail(key));
      return (access) => ({ driver: create(stack, host, access), privateKey });
    };
    let pair: NodePair;
    const both = (act: (node: PairedNode) => void): void => {
      for (const node of pair.nodes) act(node);
    };
    /** How many packets of a ping at a hundred a second from the first container to the second are lost. */
    const lossDuring = async (during: () => Promise<void>): Promise<number> => {
      const [one, other] = pair.nodes;
      return (await lossOf(one.startInside(...FAST_PING, other.containerIp), during)).lost;
    };
    const isEncrypted = async (): Promise<boolean> => {
      const [one, other] = pair.nodes;
      const routes = [
        await one.run("ip", "route", "get", other.containerIp),
        await other.run("ip", "route", "get", one.containerIp),
      ];
      return routes.every((route) => route.includes(WIREGUARD_DEVICE));
    };
    const setEnd = (node: PairedNode, publicKey: WireguardPublicKey): void => {
      node.learn({ kind: "wireguardEnd", value: { ip: node.tunnelIp, publicKey } });
    };
    const record = ({ number, tunnelIp: ip }: PairedNode, publicKey?: WireguardPublicKey): void => {
      pair.learn(nodeFact(number, publicKey === undefined ? {} : { wireguard: { publicKey, ip } }));
    };

    it("get their ends", async () => {
      const settings = { wireguardEnabled: true };
      pair = await createNodePair(stack, {
        settings,
        kernel: ({ host }) => ({ wireguard: accessOf(host) }),
      });
      both((node) => {
        setEnd(node, newKey());
      });
      await pair.settled();
      assert.equal(await isEncrypted(), false);
    });

    for (let meeting = 1; meeting <= MEETINGS; meeting++) {
      it(`meet at the same moment, and lose nothing (${meeting} of ${MEETINGS})`, async () => {
        const [one, other] = [newKey(), newKey()];
        both((node) => {
          setEnd(node, node.number === 1 ? one : other);
        });
        await pair.settled();
        const lost = await lossDuring(async () => {
          both((node) => {
            record(node, node.number === 1 ? one : other);
          });
          await eventually(isEncrypted, "encryption");
          await pause(1000);
        });
        assert.equal(lost, 0);
        both((node) => {
          record(node);
        });
        await eventually(async () => !(await isEncrypted()), "its end");
        await pair.settled();
      });
    }

    it("change a key, and lose nothing", async () => {
      const [one, other] = pair.nodes;
      const publicKey = newKey();
      setEnd(one, publicKey);
      setEnd(other, newKey());
      await pair.settled();
      record(one, publicKey);
      record(other, [...keys.keys()].at(-1));
      await eventually(isEncrypted, "encryption");
      await pause(REKEY_TIMEOUT_MS);
      const lost = await lossDuring(async () => {
        const next = newKey();
        setEnd(one, next);
        await one.settled();
        // As the agent does.
        await pause(100);
        record(one, next);
        await pause(1000);
      });
      assert.equal(lost, 0);
    });
  });
}
