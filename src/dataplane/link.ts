// SPDX-License-Identifier: Apache-2.0
import { type WantedLink, linkKey } from "../desired/wanted.ts";
import type { IfName } from "../net/if-name.ts";
import { type Link, setLink } from "./netlink/link.ts";
import { DONE, type Plan } from "./plan.ts";
import { ReconcileTable } from "./table.ts";

/** Ownership: a veth end whose name is `cali` and 11 hex digits is ours, whoever made it. */
const NODE_END = /^cali[0-9a-f]{11}$/;

export function isNodeEnd(link: Link): boolean {
  return link.kind === "veth" && NODE_END.test(link.name);
}

/** The node's interfaces: all of them for lookups, the node ends to be reconciled. */
export class LinkTable {
  readonly table = new ReconcileTable<WantedLink, Link>((wanted) => wanted.name);
  readonly #byIndex = new Map<number, Link>();
  readonly #byName = new Map<string, Link>();

  byIndex(index: number): Link | undefined {
    return this.#byIndex.get(index);
  }

  byName(name: string): Link | undefined {
    return this.#byName.get(name);
  }

  /** Whether the interface is a node end; routes and neighbours on it are ours too. */
  isNodeEndIndex(index: number | undefined): boolean {
    const link = index === undefined ? undefined : this.#byIndex.get(index);
    return link !== undefined && isNodeEnd(link);
  }

  see(link: Link): void {
    const before = this.#byIndex.get(link.index);
    if (before !== undefined && before.name !== link.name) this.#forget(before);
    this.#byIndex.set(link.index, link);
    this.#byName.set(link.name, link);
    if (isNodeEnd(link)) this.table.see(linkKey(link.name), link);
  }

  remove(link: Link): void {
    const known = this.#byIndex.get(link.index);
    if (known !== undefined) this.#forget(known);
  }

  reset(links: readonly Link[]): void {
    this.#byIndex.clear();
    this.#byName.clear();
    for (const link of links) {
      this.#byIndex.set(link.index, link);
      this.#byName.set(link.name, link);
    }
    this.table.reset(new Map(links.filter(isNodeEnd).map((link) => [linkKey(link.name), link])));
  }

  #forget(link: Link): void {
    this.#byIndex.delete(link.index);
    // The name may have gone to another interface meanwhile.
    if (this.#byName.get(link.name)?.index === link.index) {
      this.#byName.delete(link.name);
      this.table.see(linkKey(link.name), undefined);
    }
  }
}

/**
 * Node ends come and go with their containers, by ADD and DEL: the reconciler sets them right. One of no known container is set
 * down, so that it forwards nothing, and no further: a record that was lost and comes back finds its container whole.
 */
export function planLink(key: string, { table }: LinkTable): Plan<Link> {
  const wanted = table.wanted(key);
  const seen = table.seen(key);
  if (wanted === undefined) {
    if (seen?.up !== true) return DONE;
    return {
      kind: "change",
      request: setLink({ index: seen.index, up: false }),
      after: { ...seen, up: false },
    };
  }
  if (seen === undefined) return { kind: "blocked", reason: missing(wanted.name) };
  if (seen.up && seen.mac === wanted.mac) return DONE;
  const request = setLink({ index: seen.index, up: true, mac: wanted.mac });
  return { kind: "change", request, after: { ...seen, up: true, mac: wanted.mac } };
}

export function missing(ifName: IfName): string {
  return `interface "${ifName}" is not there`;
}
