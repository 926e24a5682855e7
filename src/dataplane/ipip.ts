// SPDX-License-Identifier: Apache-2.0
// IPIP by programs on the underlay, where the kernel has no device for it. Ownership: `bpf/ipip-tunnel.ts` finds its filters by their
// names, and through them the tables. The kernel tells of filters that come and go; the tables only we write to.
import { IPIP_PROGRAMS_KEY, type WantedIpip, ipipKey } from "../desired/wanted.ts";
import type { AddressTable } from "./address.ts";
import { type Request, applyTable, failureOf } from "./apply-table.ts";
import { type IpipTunnel, listIpipTunnels, openIpipTunnel, removeIpipTunnel } from "./bpf/ipip-tunnel.ts";
import { type ItemDifference, compareItems } from "./compare-items.ts";
import type { Kernel } from "./kernel.ts";
import type { Rtnetlink } from "./netlink/rtnetlink.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** Where programs of ours are, and are to be. */
interface Places {
  readonly place: number | undefined;
  /** Whether the programs there are those that were attached last. */
  readonly isIntact: boolean;
  /** The interfaces that have programs of ours, or one of the two. */
  readonly found: readonly number[];
}

/** Something to be done to programs or their tables. */
interface Step extends Request {
  readonly run: () => void | Promise<void>;
}

interface Opened {
  readonly ifIndex: number;
  readonly tunnel: IpipTunnel;
  /** What the programs were last attached for. */
  attached: WantedIpip | undefined;
}

/** The programs and their tables, wanted and seen side by side. Disposing lets go; the tunnel goes on. */
export class IpipPrograms implements Disposable {
  readonly table = new ReconcileTable<WantedIpip, WantedIpip>(() => undefined);
  /** Interfaces that have programs of ours. */
  #places: ReadonlySet<number> = new Set();
  #opened: Opened | undefined;
  /** Whether somebody may have taken the programs away. */
  #isInDoubt = false;

  async list(rtnetlink: Rtnetlink): Promise<void> {
    this.#places = new Set(await listIpipTunnels(rtnetlink));
    this.#isInDoubt = true;
    this.table.reset(seenIn(this.#opened));
    this.table.mark(IPIP_PROGRAMS_KEY);
  }

  noteFilters(ifIndex: number): void {
    if (this.#opened?.ifIndex !== ifIndex) return;
    this.#isInDoubt = true;
    this.table.mark(IPIP_PROGRAMS_KEY);
  }

  /** The node's address may be on another interface now. */
  noteAddresses(): void {
    this.table.mark(IPIP_PROGRAMS_KEY);
  }

  /** What is wanted. Entries come first: a packet must find them when it meets the programs. */
  async make(kernel: Kernel, addresses: AddressTable): Promise<void> {
    const wanted = this.table.wanted(IPIP_PROGRAMS_KEY);
    if (wanted?.kind !== "programs") return;
    const place = addresses.holderOf(wanted.nodeAddress);
    if (place !== this.#opened?.ifIndex) await this.#open(place, kernel);
    await this.#verify();
    const isWanted = (key: string): boolean => this.table.wanted(key) !== undefined;
    await this.#apply(kernel, (key) => key !== IPIP_PROGRAMS_KEY && isWanted(key));
    await this.#apply(kernel, isWanted);
  }

  /** What is not wanted: no route leads here any more. */
  async unmake(kernel: Kernel): Promise<void> {
    await this.#apply(kernel, (key) => this.table.wanted(key) === undefined);
    const strays = [...this.#places].filter((ifIndex) => ifIndex !== this.#opened?.ifIndex);
    for (const ifIndex of strays) await removeIpipTunnel({ rtnetlink: kernel.rtnetlink, ifIndex });
    this.#places = new Set(this.#opened && [this.#opened.ifIndex]);
  }

  /**
   * How the programs and their tables, read afresh, differ from what is wanted; changes nothing. `place` is the interface that has the node's
   * address. Rejects with `KernelError`.
   */
  async differences(rtnetlink: Rtnetlink, place: number | undefined): Promise<readonly ItemDifference[]> {
    const wanted = new Map(this.table.wantedEntries());
    const opened = this.#opened?.ifIndex === place ? this.#opened : undefined;
    // Before anything is waited for: meanwhile the tunnel may be let go.
    const seen = new Map(seenIn(opened));
    const isIntact = (await opened?.tunnel.isAttached()) === true;
    return compareIpip(wanted, seen, { place, isIntact, found: await listIpipTunnels(rtnetlink) });
  }

  [Symbol.dispose](): void {
    this.#opened?.tunnel[Symbol.dispose]();
    this.#opened = undefined;
  }

  async #open(ifIndex: number | undefined, { rtnetlink, log }: Kernel): Promise<void> {
    this[Symbol.dispose]();
    try {
      if (ifIndex !== undefined) {
        const tunnel = await openIpipTunnel({ rtnetlink, ifIndex });
        this.#opened = { ifIndex, tunnel, attached: undefined };
        this.#places = new Set([...this.#places, ifIndex]);
      }
    } catch (error) {
      log.warn("Cannot open IPIP by programs", { error });
    }
    this.table.reset(seenIn(this.#opened));
  }

  async #verify(): Promise<void> {
    const opened = this.#opened;
    if (opened === undefined || !this.#isInDoubt) return;
    this.#isInDoubt = false;
    const isIntact = await opened.tunnel.isAttached();
    this.table.see(IPIP_PROGRAMS_KEY, isIntact ? opened.attached : undefined);
  }

  async #apply(kernel: Kernel, only: (key: string) => boolean): Promise<void> {
    const plan = (key: string): Plan<WantedIpip, Step> => this.#plan(key, kernel);
    await applyTable({ kind: "ipip", table: this.table, plan, only, execute: runAll }, kernel);
  }

  #plan(key: string, kernel: Kernel): Plan<WantedIpip, Step> {
    const wanted = this.table.wanted(key);
    const seen = this.table.seen(key);
    const opened = this.#opened;
    if (opened === undefined) return wanted === undefined ? DONE : { kind: "blocked", reason: NO_PLACE };
    if (wanted === undefined) return this.#planRemoval(key, seen, opened, kernel);
    if (isSame(seen, wanted)) return DONE;
    return { kind: "change", requests: [addition(wanted, opened)], after: wanted };
  }

  #planRemoval(
    key: string,
    seen: WantedIpip | undefined,
    { tunnel, ifIndex }: Opened,
    { rtnetlink }: Kernel,
  ): Plan<WantedIpip, Step> {
    if (key !== IPIP_PROGRAMS_KEY)
      return seen === undefined ? DONE : { kind: "remove", requests: [deletion(seen, tunnel)] };
    const run = async (): Promise<void> => {
      await removeIpipTunnel({ rtnetlink, ifIndex });
      this[Symbol.dispose]();
    };
    return { kind: "remove", requests: [{ description: `remove IPIP from link ${ifIndex}`, run }] };
  }
}

const NO_PLACE = "the node's address is on no interface";

function seenIn(opened: Opened | undefined): ReadonlyMap<string, WantedIpip> {
  if (opened === undefined) return new Map();
  const { tunnel, attached } = opened;
  const items: readonly WantedIpip[] = [
    ...(attached === undefined ? [] : [attached]),
    ...Array.from(tunnel.blocks(), ([dst, node]) => ({ kind: "block", dst, node }) as const),
    ...Array.from(tunnel.nodes(), (address) => ({ kind: "node", address }) as const),
  ];
  return new Map(items.map((item) => [ipipKey(item), item]));
}

function addition(item: WantedIpip, opened: Opened): Step {
  const { tunnel, ifIndex } = opened;
  const description = describeAddition(item, ifIndex);
  switch (item.kind) {
    case "programs":
      return {
        description,
        async run() {
          await tunnel.attach(item.nodeAddress);
          opened.attached = item;
        },
      };
    case "block":
      return {
        description,
        run() {
          tunnel.setBlock(item.dst, item.node);
        },
      };
    case "node":
      return {
        description,
        run() {
          tunnel.addNode(item.address);
        },
      };
  }
}

function describeAddition(item: WantedIpip, ifIndex: number): string {
  switch (item.kind) {
    case "programs":
      return `attach IPIP to link ${ifIndex}`;
    case "block":
      return `send ${item.dst} inside IPIP to ${item.node}`;
    case "node":
      return `take IPIP from ${item.address}`;
  }
}

function describeRemoval(item: WantedIpip): string {
  return `take ${ipipKey(item)} out of IPIP`;
}

function deletion(item: WantedIpip, tunnel: IpipTunnel): Step {
  return {
    description: describeRemoval(item),
    run() {
      if (item.kind === "block") tunnel.deleteBlock(item.dst);
      if (item.kind === "node") tunnel.deleteNode(item.address);
    },
  };
}

/** Without the programs, tables are of no account. */
function compareIpip(
  wanted: ReadonlyMap<string, WantedIpip>,
  seen: ReadonlyMap<string, WantedIpip>,
  { place, isIntact, found }: Places,
): readonly ItemDifference[] {
  const strays = found.filter((ifIndex) => ifIndex !== place).map(strayOn);
  const [key, programs] = [IPIP_PROGRAMS_KEY, wanted.get(IPIP_PROGRAMS_KEY)];
  if (programs === undefined) return found.map(strayOn);
  if (place === undefined) return [{ key, state: "waiting", what: NO_PLACE }, ...strays];
  if (!isIntact || !isSame(seen.get(key), programs)) {
    const state = found.includes(place) ? "wrong" : "missing";
    return [{ key, state, what: describeAddition(programs, place) }, ...strays];
  }
  const words = {
    isSame: (item: WantedIpip, there: WantedIpip) => isSame(there, item),
    describeAddition: (item: WantedIpip) => describeAddition(item, place),
    describeRemoval,
  };
  return [...compareItems(wanted, seen, words), ...strays];
}

function strayOn(ifIndex: number): ItemDifference {
  return {
    key: `${IPIP_PROGRAMS_KEY} on link ${ifIndex}`,
    state: "foreign",
    what: `remove IPIP from link ${ifIndex}`,
  };
}

/** One after the other, so that a packet never meets programs whose entries are still to come. */
async function runAll(steps: readonly Step[]): Promise<readonly (Error | undefined)[]> {
  const results: (Error | undefined)[] = [];
  for (const { run } of steps) results.push(await failureOf(run));
  return results;
}

/** Items are plain data whose fields stand in one order. */
function isSame(a: WantedIpip | undefined, b: WantedIpip): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
