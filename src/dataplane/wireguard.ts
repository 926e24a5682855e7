// SPDX-License-Identifier: Apache-2.0
// What WireGuard devices have been given. Ownership: a device of ours is ours with all that is in it. Nobody tells of changes there: they are
// found by the audit. Of the device's coming and going its link's events tell.
import { WIREGUARD_DEVICE, type WantedWireguard, peerKey, wireguardKey } from "../desired/wanted.ts";
import type { IfName } from "../net/if-name.ts";
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import { type Request, applyTable, failureOf } from "./apply-table.ts";
import type { Kernel } from "./kernel.ts";
import { type LinkTable, missing } from "./link.ts";
import { KernelError, isKernelError } from "./netlink/kernel-error.ts";
import type { WireguardChange } from "./netlink/wireguard-change.ts";
import type { WireguardDevice } from "./netlink/wireguard-device.ts";
import type { PeerTable } from "./peer.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";
import type { WireguardDriver } from "./wireguard/driver.ts";
import { startHandshake } from "./wireguard/peer-change.ts";

/** As {@link WantedWireguard}, of a device that may have no key. */
export type SeenWireguard = Omit<WantedWireguard, "publicKey"> & Partial<Pick<WantedWireguard, "publicKey">>;

export type WireguardTable = ReconcileTable<WantedWireguard, SeenWireguard>;

interface Tables {
  readonly link: LinkTable;
  readonly wireguard: WireguardTable;
  readonly peer: PeerTable;
}

export function createWireguardTable(): WireguardTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

/** Reads the device anew, if there is one. One that does not answer is set up as a new one would be, and what is wrong with it shows there. */
export async function listWireguard(
  tables: Tables,
  { driver, log }: { readonly driver: WireguardDriver; readonly log: Kernel["log"] },
): Promise<void> {
  try {
    await readWireguard(tables, driver);
  } catch (error) {
    log.warn("Cannot read WireGuard device", { ifName: WIREGUARD_DEVICE, error });
    for (const table of [tables.wireguard, tables.peer.table]) table.reset(new Map());
  }
}

/** Likewise. Rejects with `KernelError` where it does not answer. */
export async function readWireguard(
  { link, wireguard, peer }: Tables,
  driver: WireguardDriver,
): Promise<void> {
  const ifName = WIREGUARD_DEVICE;
  const device = link.byName(ifName) && (await driver.get(ifName));
  const peers = device?.peers.map(({ publicKey, endpoint, allowedIps }) => {
    return [peerKey(ifName, publicKey), { publicKey, endpoint, allowedIps: allowedIps.toSorted() }] as const;
  });
  wireguard.reset(new Map(device && [[wireguardKey(ifName), seenDevice(device)]]));
  peer.table.reset(new Map(peers));
}

function seenDevice({ publicKey, listenPort, fwmark: mark }: WireguardDevice): SeenWireguard {
  return { ifName: WIREGUARD_DEVICE, ...(publicKey && { publicKey }), listenPort, mark };
}

/** All that was in a device that is gone. */
export function forgetWireguard({ wireguard, peer }: Pick<Tables, "wireguard" | "peer">): void {
  wireguard.forget(() => true);
  peer.table.forget(() => true);
}

export interface WireguardStep extends Request {
  readonly wanted: WantedWireguard;
  /** Whether the device has another key, or none. */
  readonly needsKey: boolean;
  /** What else differs: `wireguard-go` closes its socket to open it on the same port, and loses what waits there. */
  readonly change: Pick<WireguardChange, "listenPort" | "fwmark">;
}

export function planWireguard(
  key: string,
  table: WireguardTable,
  links: LinkTable,
): Plan<SeenWireguard, WireguardStep> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  // What a device has goes with its link.
  if (wanted === undefined) return DONE;
  const { ifName, publicKey, listenPort, mark } = wanted;
  if (links.byName(ifName)?.up !== true) return { kind: "blocked", reason: missing(ifName) };
  const needsKey = seen?.publicKey !== publicKey;
  const change = {
    ...(seen?.listenPort !== listenPort && { listenPort }),
    ...(seen?.mark !== mark && { fwmark: mark }),
  };
  if (!needsKey && Object.keys(change).length === 0) return DONE;
  const description = `set up WireGuard device "${ifName}"`;
  return { kind: "change", requests: [{ description, wanted, needsKey, change }], after: wanted };
}

/** Sets the device up as wanted. */
export async function makeWireguard(
  { link: links, wireguard }: Pick<Tables, "link" | "wireguard">,
  kernel: Kernel,
): Promise<void> {
  await applyTable(
    {
      kind: "wireguard",
      table: wireguard,
      plan: (key) => planWireguard(key, wireguard, links),
      execute: (steps) => setUpWireguard(steps, kernel.wireguard),
    },
    kernel,
  );
}

/** Carries out changes of devices. */
async function setUpWireguard(
  steps: readonly WireguardStep[],
  wireguard: Kernel["wireguard"],
): Promise<readonly (Error | undefined)[]> {
  const { driver } = wireguard;
  return await Promise.all(
    steps.map(async ({ wanted: { ifName, publicKey, listenPort }, needsKey, change }) =>
      failureOf(async () => {
        const key = needsKey ? await newKey(ifName, publicKey, wireguard) : {};
        await driver.change(ifName, { ...key, ...change }).catch((error: unknown) => {
          if (!isKernelError(error, "EADDRINUSE")) throw error;
          throw new KernelError(`use UDP port ${listenPort} for WireGuard`, error.errno, { cause: error });
        });
      }),
    ),
  );
}

/**
 * The private key is read where it is needed, and kept nowhere. The sessions that the device has are over with its old key: it asks for new ones
 * at once, so that nobody has to reckon with its asking later.
 */
async function newKey(
  ifName: IfName,
  publicKey: WireguardPublicKey,
  { driver, privateKey }: Kernel["wireguard"],
): Promise<WireguardChange> {
  const { peers = [] } = (await driver.get(ifName)) ?? {};
  return {
    privateKey: await privateKey(publicKey),
    peers: peers.flatMap((peer) => startHandshake(peer.publicKey)),
  };
}
