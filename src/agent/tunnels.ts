// SPDX-License-Identifier: Apache-2.0
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Link } from "../dataplane/netlink/link.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { Calculation } from "../desired/calculation.ts";
import type { Fact, IpipDriver, TunnelKind } from "../desired/facts.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { poolsOfFamily } from "../model/pools.ts";
import type { Family } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import type { Conditions } from "../system/conditions.ts";
import type { Catalog } from "./catalog.ts";
import type { Registration } from "./registration.ts";
import type { WireguardKeyFile } from "./wireguard-key-file.ts";

/** What kinds of tunnels work with. */
export interface TunnelContext {
  readonly nodeName: string;
  readonly ipipDriver: IpipDriver | "auto";
  readonly catalog: Catalog;
  readonly calculation: Calculation;
  readonly dataplane: Dataplane;
  readonly rtnetlink: Rtnetlink;
  /** The interface that has the node's address. */
  readonly underlay: () => Promise<Link>;
  readonly registration: Registration;
  readonly conditions: Conditions;
  readonly clock: Clock;
  readonly wireguardKey: WireguardKeyFile;
  readonly learn: (facts: readonly Fact[]) => void;
}

/** Pools of the family that have the mode set; addresses of a disabled one may still be in use. */
export function poolsWith(
  { pools }: Catalog,
  mode: "ipipMode" | "vxlanMode",
  family: Family = 4,
): readonly IPPool[] {
  return poolsOfFamily(pools, family).filter(({ spec }) => spec[mode] !== "Never");
}

/** What an end's address depends on: a pool's status does not count. */
export function basisOf(pools: readonly IPPool[]): string {
  return JSON.stringify(pools.map(({ metadata: { name }, spec }) => [name, spec]));
}

/** Resolves once no packet of this node enters the tunnel any more, neither by what is wanted nor by what is programmed. */
export async function unusedTunnel(
  tunnel: TunnelKind,
  { calculation, dataplane, conditions }: TunnelContext,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  await conditions.until(() => !calculation.isInUse(tunnel), signal);
  await dataplane.remoteRoutesInPlace({ signal, onWait: () => undefined });
}
