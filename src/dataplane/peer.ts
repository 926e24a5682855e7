// SPDX-License-Identifier: Apache-2.0
// Peers of the WireGuard device. All that are in it are ours, as the device is.
import { WIREGUARD_DEVICE, type WantedPeer, type WantedRoute } from "../desired/wanted.ts";
import type { Cidr } from "../net/cidr.ts";
import { applyTable, failureOf } from "./apply-table.ts";
import type { Kernel } from "./kernel.ts";
import { type LinkTable, missing } from "./link.ts";
import type { KernelRoute } from "./netlink/route.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";
import { type PeerStep, type SeenPeer, peerChange } from "./wireguard/peer-change.ts";

/**
 * Two nodes that hear of each other at the same time must not both begin a handshake: two that cross come to nothing, and are begun anew after
 * five seconds (`REKEY_TIMEOUT`, the WireGuard paper, section 6.4). So the one with the larger key begins it, so much later that the other
 * has heard too. The other does so later still, in case that has come to nothing, and neither sends anything before then. Milliseconds, from when a
 * node hears of the other.
 */
const LARGER_BEGINS_AFTER_MS = 150;
const SMALLER_BEGINS_AFTER_MS = 300;

/** Peers to be reconciled, and what is still to come between this node and those that it has just met. */
export class PeerTable {
  readonly table = new ReconcileTable<WantedPeer, SeenPeer>((wanted) => wanted.ifName);
  /** Those that the device has, or has had before it was made anew. */
  readonly #known = new Set<string>();
  /** key -> when a handshake is to be begun, in milliseconds of the clock */
  readonly #beginAtMs = new Map<string, number>();
  /** what is on nodes that have just become peers -> when packets may be sent there, in milliseconds of the clock */
  readonly #sendAtMs = new Map<Cidr, number>();

  /** `own` is the device's public key. */
  plan(
    key: string,
    {
      links,
      own = "",
      nowMs,
    }: { readonly links: LinkTable; readonly own: string | undefined; readonly nowMs: number },
  ): Plan<SeenPeer, PeerStep> {
    const wanted = this.table.wanted(key);
    const seen = this.table.seen(key);
    if (wanted === undefined) {
      this.#known.delete(key);
      this.#beginAtMs.delete(key);
      return seen === undefined ? DONE : removal(seen);
    }
    if (links.byName(wanted.ifName)?.up !== true) return { kind: "blocked", reason: missing(wanted.ifName) };
    if (seen === undefined) return change(wanted, seen, { begins: !this.#meet(key, wanted, own, nowMs) });
    this.#known.add(key);
    if (!isSame(seen, wanted)) return change(wanted, seen, { begins: false });
    const beginAtMs = this.#beginAtMs.get(key);
    if (beginAtMs === undefined) return DONE;
    if (nowMs < beginAtMs) return { kind: "later", atMs: beginAtMs };
    this.#beginAtMs.delete(key);
    return change(wanted, seen, { begins: true });
  }

  /** Has those looked at again with which a handshake is still to be begun. */
  postpone(): void {
    for (const [key, atMs] of this.#beginAtMs) if (this.table.seen(key)) this.table.postpone(key, atMs);
  }

  /** When packets may be sent to the destination, in milliseconds of the clock. */
  sendAtMs(dst: Cidr): number {
    return this.#sendAtMs.get(dst) ?? -Infinity;
  }

  /** Whether this node had nothing to do with the peer before; one that only has another key now is none that is met. */
  #meet(key: string, { publicKey, endpoint, allowedIps }: WantedPeer, own: string, nowMs: number): boolean {
    if (this.#known.has(key)) return false;
    this.#known.add(key);
    if (this.table.hasSeen((other) => other.endpoint?.ip === endpoint.ip)) return false;
    const afterMs = own > publicKey ? LARGER_BEGINS_AFTER_MS : SMALLER_BEGINS_AFTER_MS;
    this.#beginAtMs.set(key, nowMs + afterMs);
    for (const [dst, atMs] of this.#sendAtMs) if (atMs <= nowMs) this.#sendAtMs.delete(dst);
    for (const dst of allowedIps) this.#sendAtMs.set(dst, nowMs + SMALLER_BEGINS_AFTER_MS);
    return true;
  }
}

function removal({ publicKey }: SeenPeer): Plan<SeenPeer, PeerStep> {
  const description = `remove WireGuard peer "${publicKey}"`;
  return { kind: "remove", requests: [{ kind: "remove", description, publicKey }] };
}

function change(
  { publicKey, endpoint, allowedIps }: WantedPeer,
  seen: SeenPeer | undefined,
  { begins }: { readonly begins: boolean },
): Plan<SeenPeer, PeerStep> {
  const description = describeChange({ publicKey, endpoint, allowedIps }, seen);
  const after = { publicKey, endpoint, allowedIps };
  return { kind: "change", requests: [{ kind: "set", description, seen, wanted: after, begins }], after };
}

function describeChange({ publicKey, endpoint, allowedIps }: SeenPeer, seen: SeenPeer | undefined): string {
  const peer = `WireGuard peer "${publicKey}"`;
  if (seen === undefined) return `add ${peer} at ${describeEndpoint(endpoint)}`;
  const [has, needs] = [new Set(seen.allowedIps), new Set(allowedIps)];
  const [from, to] = [describeEndpoint(seen.endpoint), describeEndpoint(endpoint)];
  const parts = [
    from === to ? "" : `move it from ${from} to ${to}`,
    describeList("give it", needs.difference(has)),
    describeList("take from it", has.difference(needs)),
  ].filter((part) => part !== "");
  return `set ${peer}${parts.length === 0 ? "" : `: ${parts.join("; ")}`}`;
}

function describeList(verb: string, cidrs: ReadonlySet<Cidr>): string {
  return cidrs.size === 0 ? "" : `${verb} ${[...cidrs].sort().join(", ")}`;
}

/** Those of nodes are of IPv4. */
function describeEndpoint(endpoint: SeenPeer["endpoint"]): string {
  return endpoint === undefined ? "nowhere" : `${endpoint.ip} port ${endpoint.port}`;
}

function isSame(seen: SeenPeer | undefined, { endpoint, allowedIps }: WantedPeer): boolean {
  return (
    seen?.endpoint?.ip === endpoint.ip &&
    seen.endpoint.port === endpoint.port &&
    String(seen.allowedIps) === String(allowedIps)
  );
}

/** A route through the device waits until packets may be sent to the peer behind it; until then, they go as they did. */
export function planBehindPeer(
  plan: Plan<KernelRoute>,
  wanted: WantedRoute | undefined,
  { peer, nowMs }: { readonly peer: PeerTable; readonly nowMs: number },
): Plan<KernelRoute> {
  const opens = plan.kind === "create" || plan.kind === "change";
  if (!opens || wanted?.target.kind !== "link" || wanted.target.ifName !== WIREGUARD_DEVICE) return plan;
  const atMs = peer.sendAtMs(wanted.dst);
  return nowMs < atMs ? { kind: "later", atMs } : plan;
}

interface PeerCollaborators {
  readonly peer: PeerTable;
  readonly links: LinkTable;
  /** The device's public key. */
  readonly own: string | undefined;
}

/** Peers that are wanted: no route may lead there before. */
export async function makePeers(collaborators: PeerCollaborators, kernel: Kernel): Promise<void> {
  await applyPeers(collaborators, kernel, (wanted) => wanted !== undefined);
  collaborators.peer.postpone();
}

/** Peers that are not wanted: no route leads to them any more. */
export async function unmakePeers(collaborators: PeerCollaborators, kernel: Kernel): Promise<void> {
  await applyPeers(collaborators, kernel, (wanted) => wanted === undefined);
}

async function applyPeers(
  { peer, links, own }: PeerCollaborators,
  kernel: Kernel,
  only: (wanted: WantedPeer | undefined) => boolean,
): Promise<void> {
  const { table } = peer;
  const nowMs = kernel.clock.now();
  await applyTable(
    {
      kind: "peer",
      table,
      plan: (key) => peer.plan(key, { links, own, nowMs }),
      only: (key) => only(table.wanted(key)),
      execute: (steps) => changePeers(steps, kernel.wireguard),
    },
    kernel,
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
