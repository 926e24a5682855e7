// SPDX-License-Identifier: Apache-2.0
import { type Contribution, Contributions } from "./contributions.ts";
import { type Delta, KINDS, type Kind, type Wanted, forEveryKind } from "./wanted.ts";

/** What one source wants of each kind; nothing of a kind that is absent. */
export type Contributed = { readonly [K in Kind]?: readonly Contribution<Wanted[K]>[] };

type Tables = { readonly [K in Kind]: Contributions<Wanted[K]> };

/** Everything that is wanted, of every kind, kept by the source that wants it. */
export class Outcome {
  readonly #tables: Tables = {
    guard: new Contributions(),
    guard6: new Contributions(),
    source: new Contributions(),
    nat: new Contributions(),
    link: new Contributions(),
    checksum: new Contributions(),
    mtu: new Contributions(),
    address: new Contributions(),
    sysctl: new Contributions(),
    forwarding: new Contributions(),
    neighbour: new Contributions(),
    ipip: new Contributions(),
    wireguard: new Contributions(),
    peer: new Contributions(),
    rule: new Contributions(),
    route: new Contributions(),
  };

  /** Replaces everything that `source` wants. */
  set(source: string, wanted: Contributed): void {
    for (const kind of KINDS) this.#tableOf(kind).set(source, wanted[kind] ?? []);
  }

  /** What changed since the last call. */
  takeDelta(): { readonly [K in Kind]: Delta<Wanted[K]> } {
    return forEveryKind((kind) => this.#tableOf(kind).takeDelta()) as {
      readonly [K in Kind]: Delta<Wanted[K]>;
    };
  }

  /** Everything that is wanted now, sorted by key. */
  state(): { readonly [K in Kind]: readonly Wanted[K][] } {
    const valuesOf = (kind: Kind): readonly unknown[] =>
      this.#tableOf(kind)
        .entries()
        .map(([, value]) => value);
    return forEveryKind(valuesOf) as { readonly [K in Kind]: readonly Wanted[K][] };
  }

  /** A table of each kind takes and gives what is of that kind, by the types of the methods above. */
  #tableOf(kind: Kind): Contributions<unknown> {
    return this.#tables[kind];
  }
}
