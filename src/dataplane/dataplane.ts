// SPDX-License-Identifier: Apache-2.0
import { type DesiredDelta, IPIP_PROGRAMS_KEY, KINDS, type Kind, forEveryKind } from "../desired/wanted.ts";
import type { Cidr } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { Conditions } from "../system/conditions.ts";
import { applyAll } from "./apply.ts";
import { type Differences, differencesOfBoth, listDifferences } from "./differences.ts";
import type { Kernel } from "./kernel.ts";
import type { RtEvent } from "./netlink/rtnetlink.ts";
import {
  allTables,
  createTables,
  listSeen,
  noteEvent,
  noteWanted,
  restoresTunnel,
  rulesets,
  type Tables,
  tableOf,
} from "./tables.ts";
import {
  type LinkView,
  type NeighbourView,
  type RouteOrigin,
  type RouteView,
  countRoutes,
  viewLink,
  viewNeighbours,
  viewRoutes,
} from "./view.ts";

/** How long to wait before listing again after a listing that failed. */
const RELIST_PAUSE_MS = 1000;
/** What is under way is through by then. */
const SECOND_LOOK_MS = 500;

interface WaitOptions {
  readonly signal: AbortSignal;
}

export interface DataplaneOptions {
  /** How often everything is listed anew, in case an event was missed. @default 60,000 */
  readonly auditIntervalMs?: number;
  /** Gives the node's address on the underlay. */
  readonly nodeAddress?: () => Ip | undefined;
  /** Called when the interface that has the node's address, or its MTU in octets, is another. */
  readonly onUnderlay?: (mtu: number) => void;
  /**
   * Called when it is not known which routes BIRD means there to be: a tunnel device is up or has its address again, and routes through it are
   * gone, not only ours; or BIRD has two routes to one destination.
   */
  readonly onBirdsInDoubt?: () => void;
  /** Called after each application. */
  readonly onChange?: () => void;
  /** Hears how long each application took. */
  readonly onApplied?: (timing: ApplyTiming) => void;
}

/** An object that is not as it should be, and why. */
export interface Pending {
  readonly kind: Kind;
  readonly key: string;
  readonly reason: string;
}

export interface DataplaneStatus {
  /** Whether nothing waits to be applied. */
  readonly isSettled: boolean;
  readonly wanted: Readonly<Record<Kind, number>>;
  readonly faults: readonly Pending[];
  readonly blocked: readonly Pending[];
}

/** In milliseconds. */
export interface ApplyTiming {
  readonly durationMs: number;
  /** From the first change of what is wanted that the application saw, until it was done; `undefined` where there was none. */
  readonly latencyMs: number | undefined;
}

/** How much there is to do, and how it goes: plain numbers, for those who watch over time. */
export interface DataplaneMeasures {
  /** Objects that wait to be looked at, or are being worked on. */
  readonly pending: Readonly<Record<Kind, number>>;
  /** Attempts that have failed so far. */
  readonly failures: Readonly<Record<Kind, number>>;
  /** Objects that were put right so far, after somebody else had changed or removed them, or because they were in the way. */
  readonly repairs: Readonly<Record<Kind, number>>;
  /** Since when an application goes on, in milliseconds of the clock; `undefined` while none does. */
  readonly applyingSinceMs: number | undefined;
  /** How many routes stand in the tables that are looked at. */
  readonly routes: Readonly<Record<RouteOrigin, number>>;
}

/**
 * Keeps one network namespace as a node's desired state says. Changes of either side are only noted as they come; one loop applies
 * them, and nothing at all is touched before {@link Dataplane.start}.
 */
export interface Dataplane extends AsyncDisposable {
  /** Notes what is wanted anew; applied by the loop soon after. */
  update(delta: DesiredDelta): void;
  /** Begins to watch and change the kernel. Call it once the desired state is complete: what is not wanted then, goes. */
  start(): Promise<void>;
  /** Resolves when every object of the interface is as it should be; rejects with the signal's reason, after which {@link pendingOn} says what is missing. */
  programmed(ifName: string, options: WaitOptions): Promise<void>;
  pendingOn(ifName: string): readonly string[];
  /** Resolves when IPIP by programs is in place. */
  programmedIpip(options: WaitOptions): Promise<void>;
  /**
   * Resolves once every route to another node's block is in place, so that nobody else's is needed; `onWait` hears what is waited for.
   */
  remoteRoutesInPlace(options: WaitOptions & { readonly onWait: (pending: string) => void }): Promise<void>;
  /** Has the routes that BIRD is to bring stand of ours too, until {@link Dataplane.releaseToBird}. */
  holdForBird(): void;
  releaseToBird(): void;
  /** Resolves once no route of BIRD leads into these prefixes any more. */
  birdRoutesGone(cidrs: readonly Cidr[], options: WaitOptions): Promise<void>;
  hasBirdRoutes(cidrs: readonly Cidr[]): boolean;
  /** Resolves once no route of BIRD leads out of the interface any more. */
  birdRoutesLeft(ifName: string, options: WaitOptions): Promise<void>;
  /** Resolves once no route of ours leads out of the interface any more. */
  routesLeft(ifName: string, options: WaitOptions): Promise<void>;
  /** Whether an interface has the address, as far as has been seen. */
  hasAddress(ip: Ip): boolean;
  status(): DataplaneStatus;
  /** What is not as it should be by two fresh looks at the kernel; changes nothing. Rejects with `KernelError`, or the signal's reason. */
  differences(options: WaitOptions): Promise<Differences>;
  measures(): DataplaneMeasures;
  /** The routes of the main table and of the agent's own, as far as has been seen, and those that are missing. */
  routes(): readonly RouteView[];
  /** Likewise the neighbours on the agent's interfaces. */
  neighbours(): readonly NeighbourView[];
  /** The interface of that name or index, or that has the address, as far as has been seen. */
  link(which: LinkQuestion): LinkView | undefined;
}

export type LinkQuestion = { readonly name: string } | { readonly index: number } | { readonly address: Ip };

export function createDataplane(kernel: Kernel, options: DataplaneOptions = {}): Dataplane {
  return new KernelDataplane(kernel, options);
}

class KernelDataplane implements Dataplane {
  readonly #kernel: Kernel;
  readonly #auditIntervalMs: number;
  readonly #onChange: () => void;
  readonly #onApplied: (timing: ApplyTiming) => void;
  readonly #nodeAddress: () => Ip | undefined;
  readonly #onUnderlay: (mtu: number) => void;
  readonly #onBirdsInDoubt: () => void;
  #underlayMtu: number | undefined;
  readonly #tables = createTables();
  readonly #conditions = new Conditions();
  readonly #abort = new AbortController();
  #tasks: readonly Promise<void>[] = [];
  #events: AsyncIterable<readonly RtEvent[]> | undefined;
  #rulesetsFollowed: Promise<void> | undefined;
  /** Events since a listing began, while it goes on. */
  #held: RtEvent[] | undefined;
  #isListingDue = false;
  #applyingSinceMs: number | undefined;
  /** When the first change of what is wanted came that is not applied yet, by the clock's elapsed time. */
  #changedAtMs: number | undefined;
  #wake = Promise.withResolvers<undefined>();

  constructor(
    kernel: Kernel,
    {
      auditIntervalMs = 60_000,
      nodeAddress = () => undefined,
      onUnderlay = () => undefined,
      onBirdsInDoubt = () => undefined,
      onChange = () => undefined,
      onApplied = () => undefined,
    }: DataplaneOptions,
  ) {
    this.#kernel = kernel;
    this.#nodeAddress = nodeAddress;
    this.#onUnderlay = onUnderlay;
    this.#onBirdsInDoubt = onBirdsInDoubt;
    this.#auditIntervalMs = auditIntervalMs;
    this.#onChange = onChange;
    this.#onApplied = onApplied;
  }

  update(delta: DesiredDelta): void {
    noteWanted(this.#tables, delta);
    this.#changedAtMs ??= this.#kernel.clock.elapsedMs();
    this.#wake.resolve(undefined);
  }

  async start(): Promise<void> {
    const { signal } = this.#abort;
    // Subscribed before the first listing, so that no change falls between the two.
    this.#events ??= this.#subscribe(signal);
    this.#rulesetsFollowed ??= this.#followRulesets(signal);
    await this.#list();
    this.#tasks = [
      this.#rulesetsFollowed,
      this.#followEvents(this.#events, signal),
      this.#audit(signal),
      this.#run(signal),
    ];
  }

  async programmed(ifName: string, { signal }: WaitOptions): Promise<void> {
    const isWanted = (): boolean => this.#tables.link.table.wanted(ifName) !== undefined;
    await this.#conditions.until(() => isWanted() && this.pendingOn(ifName).length === 0, signal);
  }

  async programmedIpip({ signal }: WaitOptions): Promise<void> {
    const { table } = this.#tables.ipip;
    const isThere = (): boolean =>
      table.wanted(IPIP_PROGRAMS_KEY) !== undefined && table.pendingAt(IPIP_PROGRAMS_KEY) === undefined;
    await this.#conditions.until(isThere, signal);
  }

  async remoteRoutesInPlace({
    signal,
    onWait,
  }: WaitOptions & { readonly onWait: (pending: string) => void }): Promise<void> {
    const { table, standIns } = this.#tables.route;
    const pending = (): string | undefined => {
      for (const [key, { target, standing }] of table.wantedEntries()) {
        if (target.kind === "link" || target.kind === "blackhole") continue;
        if (standing !== "present" && !standIns.isHeld(key)) continue;
        const reason = table.pendingAt(key);
        if (reason !== undefined) return reason;
      }
      return undefined;
    };
    const isMet = (): boolean => {
      const reason = pending();
      if (reason !== undefined) onWait(reason);
      return reason === undefined;
    };
    await this.#conditions.until(isMet, signal);
  }

  holdForBird(): void {
    this.#tables.route.holdForBird();
    this.#wake.resolve(undefined);
  }

  releaseToBird(): void {
    this.#tables.route.releaseToBird();
    this.#wake.resolve(undefined);
  }

  async birdRoutesGone(cidrs: readonly Cidr[], { signal }: WaitOptions): Promise<void> {
    await this.#conditions.until(() => !this.hasBirdRoutes(cidrs), signal);
  }

  hasBirdRoutes(cidrs: readonly Cidr[]): boolean {
    return this.#tables.route.birdsInside(cidrs).length > 0;
  }

  async birdRoutesLeft(ifName: string, { signal }: WaitOptions): Promise<void> {
    const { link, route } = this.#tables;
    const isLeft = (): boolean => {
      const index = link.byName(ifName)?.index;
      return index === undefined || !route.hasBirdsOn(index);
    };
    await this.#conditions.until(isLeft, signal);
  }

  async routesLeft(ifName: string, { signal }: WaitOptions): Promise<void> {
    const { link, route } = this.#tables;
    const isLeft = (): boolean => {
      const index = link.byName(ifName)?.index;
      return index === undefined || !route.table.hasSeen((seen) => seen.ifIndex === index);
    };
    await this.#conditions.until(isLeft, signal);
  }

  pendingOn(ifName: string): readonly string[] {
    return allTables(this.#tables).flatMap((table) => table.pendingOn(ifName));
  }

  hasAddress(ip: Ip): boolean {
    return this.#tables.address.holderOf(ip) !== undefined;
  }

  status(): DataplaneStatus {
    return statusOf(this.#tables);
  }

  async differences({ signal }: WaitOptions): Promise<Differences> {
    const first = await listDifferences(this.#tables, this.#kernel);
    if (first.differences.length === 0) return first;
    await this.#kernel.clock.sleep(SECOND_LOOK_MS, { signal });
    return differencesOfBoth(first, await listDifferences(this.#tables, this.#kernel));
  }

  measures(): DataplaneMeasures {
    return {
      pending: forEveryKind((kind) => tableOf(this.#tables, kind).busyCount),
      failures: forEveryKind((kind) => tableOf(this.#tables, kind).failures),
      repairs: forEveryKind((kind) => tableOf(this.#tables, kind).repairs),
      applyingSinceMs: this.#applyingSinceMs,
      routes: countRoutes(this.#tables),
    };
  }

  routes(): readonly RouteView[] {
    return viewRoutes(this.#tables);
  }

  neighbours(): readonly NeighbourView[] {
    return viewNeighbours(this.#tables);
  }

  link(which: LinkQuestion): LinkView | undefined {
    const { link: links, address } = this.#tables;
    if ("name" in which) return viewLink(links.byName(which.name));
    const index = "index" in which ? which.index : address.holderOf(which.address);
    return index === undefined ? undefined : viewLink(links.byIndex(index));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    this.#wake.resolve(undefined);
    await Promise.all(this.#tasks);
    this.#tables.ipip[Symbol.dispose]();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#applyingSinceMs = this.#kernel.clock.now();
      try {
        if (this.#isListingDue) await this.#list();
        await this.#apply();
      } catch (error) {
        // A listing that kept being interrupted, or answers that were lost: list again, after a pause.
        this.#kernel.log.error("Cannot reconcile the kernel", { error });
        this.#isListingDue = true;
        await this.#pause(RELIST_PAUSE_MS, signal);
        this.#wake.resolve(undefined);
      }
      this.#applyingSinceMs = undefined;
      this.#conditions.check();
      this.#onChange();
      await this.#rest(signal);
    }
  }

  async #apply(): Promise<void> {
    const { clock } = this.#kernel;
    const startMs = clock.elapsedMs();
    const changedAtMs = this.#changedAtMs;
    this.#changedAtMs = undefined;
    await applyAll(this.#tables, this.#kernel);
    const endMs = clock.elapsedMs();
    const latencyMs = changedAtMs === undefined ? undefined : endMs - changedAtMs;
    this.#onApplied({ durationMs: endMs - startMs, latencyMs });
  }

  /** Until there is something to do, or the earliest retry is due. */
  async #rest(signal: AbortSignal): Promise<void> {
    const retryAtMs = Math.min(...allTables(this.#tables).map((table) => table.nextRetryMs));
    const timer = new AbortController();
    const waits = [this.#wake.promise];
    if (retryAtMs !== Infinity) {
      const timerSignal = AbortSignal.any([signal, timer.signal]);
      waits.push(this.#pause(retryAtMs - this.#kernel.clock.now(), timerSignal));
    }
    await Promise.race(waits);
    timer.abort();
    this.#wake = Promise.withResolvers<undefined>();
  }

  async #audit(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pause(this.#auditIntervalMs, signal);
      this.#isListingDue = true;
      this.#wake.resolve(undefined);
    }
  }

  #subscribe(signal: AbortSignal): AsyncIterable<readonly RtEvent[]> {
    return this.#kernel.rtnetlink.events(["link", "address", "route", "neighbour", "rule", "filter"], {
      signal,
    });
  }

  async #followEvents(first: AsyncIterable<readonly RtEvent[]>, signal: AbortSignal): Promise<void> {
    for (let events = first; !signal.aborted; events = this.#subscribe(signal)) {
      try {
        for await (const batch of events) {
          if (this.#held === undefined) this.#note(batch);
          else this.#held.push(...batch);
        }
      } catch (error) {
        this.#kernel.log.error("Cannot follow the kernel's events; subscribing again", { error });
        await this.#pause(RELIST_PAUSE_MS, signal);
        this.#isListingDue = true;
      }
      this.#wake.resolve(undefined);
    }
  }

  /** Where nftables cannot be followed, the audit finds what others change. */
  async #followRulesets(signal: AbortSignal): Promise<void> {
    const all = rulesets(this.#tables);
    while (!signal.aborted) {
      try {
        for await (const events of this.#kernel.nft.events({ signal })) {
          for (const event of events) for (const ruleset of all) ruleset.note(event);
          this.#wake.resolve(undefined);
        }
      } catch (error) {
        this.#kernel.log.warn("Cannot follow changes of nftables", { error });
        await this.#pause(this.#auditIntervalMs, signal);
      }
      for (const ruleset of all) ruleset.doubt();
    }
  }

  #note(events: readonly RtEvent[]): void {
    let isRestored = false;
    for (const event of events) {
      isRestored ||= restoresTunnel(this.#tables, event);
      if (noteEvent(this.#tables, event) === "overrun") this.#isListingDue = true;
    }
    if (isRestored) this.#onBirdsInDoubt();
    this.#noteUnderlay();
    this.#wake.resolve(undefined);
  }

  #noteUnderlay(): void {
    const { address, link } = this.#tables;
    const ip = this.#nodeAddress();
    const holder = ip && address.holderOf(ip);
    const mtu = holder === undefined ? undefined : link.byIndex(holder)?.mtu;
    // While the underlay is away, what held before holds.
    if (mtu === undefined || mtu === this.#underlayMtu) return;
    this.#underlayMtu = mtu;
    this.#onUnderlay(mtu);
  }

  /** Events that come while the kernel is listed are held back, or the older listing would have the last word. */
  async #list(): Promise<void> {
    this.#isListingDue = false;
    this.#held = [];
    try {
      await listSeen(this.#tables, this.#kernel);
      if (this.#tables.route.hasRivalBirds) this.#onBirdsInDoubt();
    } finally {
      const events = this.#held;
      this.#held = undefined;
      this.#note(events);
    }
  }

  async #pause(ms: number, signal: AbortSignal): Promise<undefined> {
    // Rejected only by the signal, and the callers look at that themselves.
    await this.#kernel.clock.sleep(Math.max(0, ms), { signal }).catch(() => undefined);
    return undefined;
  }
}

function statusOf(tables: Tables): DataplaneStatus {
  const wanted = forEveryKind((kind) => tableOf(tables, kind).wantedCount);
  const pending = (entries: (kind: Kind) => Iterable<readonly [key: string, reason: string]>): Pending[] =>
    KINDS.flatMap((kind) => Array.from(entries(kind), ([key, reason]) => ({ kind, key, reason })));
  const faults = pending((kind) =>
    Array.from(tableOf(tables, kind).faults, ([key, { message }]) => [key, message]),
  );
  const blocked = pending((kind) => tableOf(tables, kind).blocked);
  const isSettled = allTables(tables).every((table) => !table.isBusy);
  return { isSettled, wanted, faults, blocked };
}
