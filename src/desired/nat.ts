// SPDX-License-Identifier: Apache-2.0
import { type Cidr, cidrContains } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import type { Contribution } from "./contributions.ts";
import type { NodeFacts, PoolFacts, Settings } from "./facts.ts";
import type { Contributed } from "./outcome.ts";
import { type WantedNat, natKey } from "./wanted-tables.ts";

/**
 * Outgoing translation, as Calico has it: packets from a pool with `natOutgoing` to what is in no pool leave with an address of the node. Pools
 * that give out no addresses any more count on both sides, for those in use stay. Without such a pool there is no table, and so no connection tracking.
 */
export function ownNat(pools: Iterable<PoolFacts>, { natAddress, natPorts }: Settings): Contributed {
  const all = [...pools];
  const translated = outermost(all.filter(({ natOutgoing }) => natOutgoing === true));
  if (translated.length === 0) return {};
  const elements: readonly WantedNat[] = [
    { kind: "table", address: natAddress, ports: natPorts },
    ...translated.map((cidr) => ({ kind: "translated", cidr }) as const),
    ...outermost(all).map((cidr) => ({ kind: "pool", cidr }) as const),
  ];
  return { nat: elements.map(entry) };
}

/** Whether packets to nodes' addresses are left as they are. Others that go to no pool are translated. */
export function sparesHosts(pools: Iterable<PoolFacts>, { natSparesHosts }: Settings): boolean {
  return natSparesHosts && [...pools].some(({ natOutgoing }) => natOutgoing === true);
}

/** A node whose addresses are spared. */
export function natHost({ address, ipv6 }: NodeFacts): Contributed {
  const addresses: readonly Ip[] = ipv6 === undefined ? [address] : [address, ipv6.address];
  return { nat: addresses.map((ip) => entry({ kind: "host", address: ip })) };
}

/** Pools overlap by mistake only, but then too the kernel takes each address once: prefixes either hold each other or have nothing in common. */
function outermost(pools: readonly PoolFacts[]): readonly Cidr[] {
  const cidrs = [...new Set(pools.map(({ cidr }) => cidr))];
  return cidrs.filter((cidr) => !cidrs.some((other) => other !== cidr && cidrContains(other, cidr))).sort();
}

function entry(value: WantedNat): Contribution<WantedNat> {
  return { key: natKey(value), value };
}
