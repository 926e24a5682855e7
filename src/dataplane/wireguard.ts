// SPDX-License-Identifier: Apache-2.0
// What WireGuard devices have been given. Ownership: a device of ours is ours with all that is in it. Nobody tells of changes there: they are
// found by the audit. Of the device's coming and going its link's events tell.
import {
  WIREGUARD_DEVICE,
  type WantedPeer,
  type WantedWireguard,
  peerKey,
  wireguardKey,
} from "../desired/wanted.ts";
import { type Request, applyTable, failureOf } from "./apply-table.ts";
import type { Kernel } from "./kernel.ts";
import { type LinkTable, missing } from "./link.ts";
import { KernelError, isKernelError } from "./netlink/kernel-error.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";
import { type PeerStep, type SeenPeer, peerChange } from "./wireguard/peer-change.ts";

/** As {@link WantedWireguard}, of a device that may have no key. */
export type SeenWireguard = Omit<WantedWireguard, "publicKey"> & Partial<Pick<WantedWireguard, "publicKey">>;

export type WireguardTable = ReconcileTable<WantedWireguard, SeenWireguard>;
export type PeerTable = ReconcileTable<WantedPeer, SeenPeer>;

interface Tables {
  readonly link: LinkTable;
  readonly wireguard: WireguardTable;
  readonly peer: PeerTable;
}

export function createWireguardTable(): WireguardTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

export function createPeerTable(): PeerTable {
  return new ReconcileTable((wanted) => wanted.ifName);
}

/** Reads the device anew, if there is one. One that does not answer is set up as a new one would be, and what is wrong with it shows there. */
export async function listWireguard(
  { link, wireguard, peer }: Tables,
  { driver, log }: Listing,
): Promise<void> {
  const [ifName, devices, peers] = [
    WIREGUARD_DEVICE,
    new Map<string, SeenWireguard>(),
    new Map<string, SeenPeer>(),
  ];
  try {
    const device = link.byName(ifName) && (await driver.get(ifName));
    if (device !== undefined) {
      const { publicKey, listenPort, fwmark: mark } = device;
      devices.set(wireguardKey(ifName), { ifName, ...(publicKey && { publicKey }), listenPort, mark });
    }
    for (const seen of device?.peers ?? [])
      peers.set(peerKey(ifName, seen.publicKey), {
        publicKey: seen.publicKey,
        endpoint: seen.endpoint,
        allowedIps: seen.allowedIps.toSorted(),
      });
  } catch (error) {
    log.warn("Cannot read WireGuard device", { ifName, error });
  }
  wireguard.reset(devices);
  peer.reset(peers);
}

interface Listing {
  readonly driver: Kernel["wireguard"]["driver"];
  readonly log: Kernel["log"];
}

/** All that was in a device that is gone. */
export function forgetWireguard({ wireguard, peer }: Pick<Tables, "wireguard" | "peer">): void {
  wireguard.forget(() => true);
  peer.forget(() => true);
}

export interface WireguardStep extends Request {
  readonly wanted: WantedWireguard;
  /** Whether the device has another key, or none. */
  readonly needsKey: boolean;
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
  if (!needsKey && seen.listenPort === listenPort && seen.mark === mark) return DONE;
  const description = `set up WireGuard device "${ifName}"`;
  return { kind: "change", requests: [{ description, wanted, needsKey }], after: wanted };
}

export function planPeer(key: string, table: PeerTable, links: LinkTable): Plan<SeenPeer, PeerStep> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined) {
    if (seen === undefined) return DONE;
    const { publicKey } = seen;
    const description = `remove WireGuard peer "${publicKey}"`;
    return { kind: "remove", requests: [{ kind: "remove", description, publicKey }] };
  }
  const { ifName, publicKey, endpoint, allowedIps } = wanted;
  if (links.byName(ifName)?.up !== true) return { kind: "blocked", reason: missing(ifName) };
  if (isSame(seen, wanted)) return DONE;
  const description = `set WireGuard peer "${publicKey}"`;
  const after = { publicKey, endpoint, allowedIps };
  return { kind: "change", requests: [{ kind: "set", description, seen, wanted: after }], after };
}

function isSame(seen: SeenPeer | undefined, { endpoint, allowedIps }: WantedPeer): boolean {
  return (
    seen?.endpoint?.ip === endpoint.ip &&
    seen.endpoint.port === endpoint.port &&
    String(seen.allowedIps) === String(allowedIps)
  );
}

/** What is wanted: no route may lead there before. */
export async function makeWireguard({ link: links, wireguard, peer }: Tables, kernel: Kernel): Promise<void> {
  await applyTable(
    {
      kind: "wireguard",
      table: wireguard,
      plan: (key) => planWireguard(key, wireguard, links),
      execute: (steps) => setUpWireguard(steps, kernel.wireguard),
    },
    kernel,
  );
  await applyPeers({ link: links, peer }, kernel, (key) => peer.wanted(key) !== undefined);
}

/** Peers that are not wanted: no route leads to them any more. */
export async function unmakeWireguard(tables: Tables, kernel: Kernel): Promise<void> {
  await applyPeers(tables, kernel, (key) => tables.peer.wanted(key) === undefined);
}

async function applyPeers(
  { link: links, peer }: Pick<Tables, "link" | "peer">,
  kernel: Kernel,
  only: (key: string) => boolean,
): Promise<void> {
  await applyTable(
    {
      kind: "peer",
      table: peer,
      plan: (key) => planPeer(key, peer, links),
      only,
      execute: (steps) => changePeers(steps, kernel.wireguard),
    },
    kernel,
  );
}

/** Carries out changes of devices. The private key is read where it is needed, and kept nowhere. */
async function setUpWireguard(
  steps: readonly WireguardStep[],
  { driver, privateKey }: Kernel["wireguard"],
): Promise<readonly (Error | undefined)[]> {
  return await Promise.all(
    steps.map(async ({ wanted: { ifName, publicKey, listenPort, mark: fwmark }, needsKey }) =>
      failureOf(async () => {
        const key = needsKey ? { privateKey: await privateKey(publicKey) } : {};
        await driver.change(ifName, { ...key, listenPort, fwmark }).catch((error: unknown) => {
          if (!isKernelError(error, "EADDRINUSE")) throw error;
          throw new KernelError(`use UDP port ${listenPort} for WireGuard`, error.errno, { cause: error });
        });
      }),
    ),
  );
}

/** Carries out changes of peers, all as one. */
async function changePeers(
  steps: readonly PeerStep[],
  { driver }: Kernel["wireguard"],
): Promise<readonly (Error | undefined)[]> {
  const error = await failureOf(() => driver.change(WIREGUARD_DEVICE, { peers: peerChange(steps) }));
  return steps.map(() => error);
}
