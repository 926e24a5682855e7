// SPDX-License-Identifier: Apache-2.0
import { type LinkCounters, listLinkCounters } from "../../dataplane/netlink/link-counters.ts";
import { type Link, listLinks } from "../../dataplane/netlink/link.ts";
import { openNetns } from "../../dataplane/netlink/netns.ts";
import { type RtEvent, type Rtnetlink, openRtnetlink } from "../../dataplane/netlink/rtnetlink.ts";
import type { Clock } from "../../system/clock.ts";

/** Before a namespace that cannot be looked into is tried again. */
const RETRY_MS = 1000;

export interface LinkWatchOptions {
  readonly netnsPath: string;
  readonly clock: Clock;
  /** Called when an interface has come, gone or changed. */
  readonly onChange: () => void;
}

/** The interfaces of one network namespace, as the kernel tells of them. */
export class LinkWatch implements AsyncDisposable {
  readonly #options: LinkWatchOptions;
  readonly #closing = new AbortController();
  readonly #links = new Map<string, Link>();
  readonly #watching: Promise<void>;
  #rtnetlink: Rtnetlink | undefined;
  #hasLooked = false;

  constructor(options: LinkWatchOptions) {
    this.#options = options;
    this.#watching = this.#goOn().catch(() => undefined);
  }

  /** Whether it is known what is there, or that this cannot be known. */
  get hasLooked(): boolean {
    return this.#hasLooked;
  }

  /** Switched on, and with a carrier; `null` where the namespace cannot be looked into. */
  isUp(name: string): boolean | null {
    if (this.#rtnetlink === undefined) return null;
    const link = this.#links.get(name);
    return link !== undefined && link.up && link.running;
  }

  /** What has passed each interface, by its name; reads it anew. */
  async counters(): Promise<ReadonlyMap<string, Omit<LinkCounters, "ifIndex">>> {
    const all = (await this.#rtnetlink?.list(listLinkCounters, this.#closing)) ?? [];
    const names = new Map(this.#links.values().map(({ index, name }) => [index, name]));
    return new Map(
      all.flatMap(({ ifIndex, ...counters }) => {
        const name = names.get(ifIndex);
        return name === undefined ? [] : [[name, counters]];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#watching;
  }

  async #goOn(): Promise<void> {
    const { clock, onChange } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#watch(signal).catch(() => undefined);
      this.#rtnetlink = undefined;
      this.#hasLooked = true;
      onChange();
      await clock.sleep(RETRY_MS, { signal });
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    await using rtnetlink = this.#open();
    // Subscribed before the listing, so that no change falls between the two.
    const events = rtnetlink.events(["link"], { signal });
    await this.#list(rtnetlink);
    this.#rtnetlink = rtnetlink;
    this.#hasLooked = true;
    this.#options.onChange();
    for await (const batch of events) {
      for (const event of batch) await this.#note(event, rtnetlink);
      this.#options.onChange();
    }
  }

  #open(): Rtnetlink {
    using netns = openNetns(this.#options.netnsPath);
    return openRtnetlink({ netns });
  }

  async #list(rtnetlink: Rtnetlink): Promise<void> {
    const links = await rtnetlink.list(listLinks);
    this.#links.clear();
    for (const link of links) this.#links.set(link.name, link);
  }

  async #note(event: RtEvent, rtnetlink: Rtnetlink): Promise<void> {
    if (event.kind === "overrun") await this.#list(rtnetlink);
    if (event.kind !== "link") return;
    const { change, link } = event;
    if (change === "new") this.#links.set(link.name, link);
    else this.#links.delete(link.name);
  }
}
