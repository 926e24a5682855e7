// SPDX-License-Identifier: Apache-2.0
import type { BirdStatus } from "../bird/bird.ts";
import type { Session } from "../bird/sessions.ts";
import type { Journal } from "../cni/journal.ts";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { Calculation } from "../desired/calculation.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { poolOf } from "../model/pools.ts";
import { parseWorkloadEndpointName } from "../model/workload-endpoint.ts";
import { cidrAddress, cidrSize } from "../net/cidr.ts";
import type { Clock } from "../system/clock.ts";
import type { Conditions } from "../system/conditions.ts";
import type { Meters } from "../web/meters.ts";
import { metricFamilies } from "../web/metrics.ts";
import type { Answer, ApiSources } from "../web/sources.ts";
import type { BlockUse, Catalog } from "./catalog.ts";
import { type HealthState, healthOf } from "./health.ts";
import { measureProcess } from "./process-measures.ts";
import {
  type AgentState,
  type AgentStatus,
  PARTS,
  degradationsOf,
  peersOf,
  reasonsByPart,
} from "./status.ts";

export interface ApiSourcesOptions {
  readonly version: string;
  readonly calculation: Calculation;
  readonly catalog: Catalog;
  readonly dataplane: Dataplane;
  readonly state: () => AgentState;
  readonly status: () => AgentStatus;
  readonly health: () => HealthState;
  readonly journal: Pick<Journal, "entries">;
  readonly conditions: Conditions;
  readonly meters: Meters;
  readonly clock: Clock;
}

/** What the API tells of this agent. */
export function createApiSources({
  version,
  calculation,
  catalog,
  dataplane,
  state,
  status,
  health,
  journal,
  conditions,
  meters,
  clock,
}: ApiSourcesOptions): ApiSources {
  return {
    version,
    until: (isMet, signal) => conditions.until(isMet, signal),
    status,
    health: () => reportOf(healthOf(health())),
    readiness: () => readinessOf(state()),
    endpoints: () => ({
      endpoints: Array.from(calculation.endpoints(), (one) => endpointOf(one, dataplane)),
    }),
    routes: () => ({ routes: dataplane.routes(), unroutable: calculation.unroutable() }),
    neighbours: () => ({ neighbours: dataplane.neighbours() }),
    bgp: () => bgpOf(state()),
    ipam: () => ipamOf(catalog),
    metrics: () =>
      metricFamilies({
        status: status(),
        readiness: readinessOf(state()),
        bgp: bgpOf(state()),
        ipam: ipamOf(catalog),
        dataplane: dataplane.measures(),
        endpoints: Array.from(calculation.endpoints()).length,
        journal: journal.entries.size,
        process: measureProcess(clock),
        meters,
      }),
  };
}

function reportOf(parts: Readonly<Record<string, readonly string[]>>): Answer<"health"> {
  const told = Object.entries(parts).map(([name, reasons]) => ({ name, ok: reasons.length === 0, reasons }));
  return { ok: told.every(({ ok }) => ok), parts: told };
}

function readinessOf(state: AgentState): Answer<"readiness"> {
  const reasons = Map.groupBy(reasonsByPart(state), ({ part }) => part);
  const parts = PARTS.map((part) => [part, (reasons.get(part) ?? []).map(({ text }) => text)] as const);
  return { ...reportOf(Object.fromEntries(parts)), degraded: degradationsOf(state) };
}

type Endpoint = Answer<"endpoints">["endpoints"][number];

function endpointOf(
  [name, { ifName, mac, ips }]: ReturnType<Calculation["endpoints"]> extends Iterable<infer One>
    ? One
    : never,
  dataplane: Dataplane,
): Endpoint {
  const { orchestrator, workload, endpoint } = parseWorkloadEndpointName(name) ?? {};
  const pending = dataplane.pendingOn(ifName);
  return { name, orchestrator, workload, endpoint, interface: ifName, mac, addresses: ips, pending };
}

function bgpOf({ routeSource, wantedBird, bird }: AgentState): Answer<"bgp"> {
  const sessions = bird.kind === "running" ? bird.sessions : [];
  const peers = peersOf(wantedBird);
  const missing = peers.filter(({ address }) => !sessions.some(({ peer }) => peer === address));
  return {
    routeSource,
    state: bird.kind,
    lastError: bird.kind === "restarting" ? bird.lastError : undefined,
    bird: daemonOf(bird),
    asNumber: wantedBird?.asNumber ?? null,
    listenPort: wantedBird?.listenPort ?? null,
    originated: wantedBird?.originated ?? [],
    sessions: sessions.map((session) => ({ ...session, with: partnerOf(session, peers) })),
    missing: missing.map(({ address, what }) => ({ peer: address, with: what })),
  };
}

function daemonOf(bird: BirdStatus): Answer<"bgp">["bird"] {
  if (bird.kind !== "running") return null;
  const { pid, version, recovering } = bird;
  return { pid, version, recovering };
}

function partnerOf({ peer }: Session, peers: ReturnType<typeof peersOf>): string | undefined {
  return peers.find(({ address }) => address === peer)?.what;
}

function ipamOf({ pools, blocks: all }: Pick<Catalog, "pools" | "blocks">): Answer<"ipam"> {
  const blocks = Array.from(all, (block) => blockOf(block, pools));
  return { pools: pools.map((pool) => poolUse(pool, blocks)), blocks };
}

type Block = Answer<"ipam">["blocks"][number];

function blockOf({ cidr, node, total, inUse, free }: BlockUse, pools: readonly IPPool[]): Block {
  const pool = poolOf(pools, cidrAddress(cidr))?.metadata.name ?? null;
  return { cidr, pool, node: node ?? null, addresses: total, inUse, free };
}

function poolUse(
  { metadata: { name }, spec: { cidr, disabled } }: IPPool,
  blocks: readonly Block[],
): Answer<"ipam">["pools"][number] {
  const own = blocks.filter(({ pool }) => pool === name);
  const inUse = own.reduce((sum, block) => sum + block.inUse, 0);
  return { name, cidr, disabled, addresses: String(cidrSize(cidr)), inUse, blocks: own.length };
}
