// SPDX-License-Identifier: Apache-2.0
// The view as a graph: stations (machines, and nodes of which no machine is known), what they run, and the pairs that talk.
import type { Item, View } from "../../web/view/view.ts";

export type Port = Item<"machines">["ports"][number];
export type Node = Item<"nodes">;
export type Container = Item<"containers">;
export type Session = Item<"sessions">;
export type Tunnel = Item<"tunnels">;

export interface Station {
  readonly id: string;
  readonly name: string;
  readonly kind: Item<"machines">["kind"];
  readonly ports: readonly Port[];
  /** Undefined for machines that are no node. */
  readonly node: Node | undefined;
  readonly containers: readonly Container[];
}

/** Both directions of what two stations have with each other. */
export interface Pair<Thing> {
  /** Of the pair; the same pair keeps it. */
  readonly id: string;
  /** Ids of stations; the end that nobody here knows is null. */
  readonly a: string;
  readonly b: string | null;
  /** What the ends tell, one or two. */
  readonly ends: readonly Thing[];
}

export interface SessionPair extends Pair<Session> {
  readonly isEstablished: boolean;
  /** Somebody asks for it, and it is not there. */
  readonly isBroken: boolean;
}

export interface TunnelPair extends Pair<Tunnel> {
  readonly kind: Tunnel["kind"];
  readonly isUp: boolean;
}

export interface Topology {
  readonly stations: readonly Station[];
  readonly sessions: readonly SessionPair[];
  readonly tunnels: readonly TunnelPair[];
}

export function topologyOf(
  view: Pick<View, "machines" | "nodes" | "containers" | "sessions" | "tunnels">,
): Topology {
  const stations = stationsOf(view);
  const byNode = new Map(stations.flatMap(({ id, node }) => (node === undefined ? [] : [[node.id, id]])));
  const byAddress = new Map(stations.flatMap(({ id, ports }) => ports.map(({ address }) => [address, id])));
  return {
    stations,
    sessions: sessionPairs(view.sessions, byNode, byAddress),
    tunnels: tunnelPairs(view.tunnels, byNode),
  };
}

const NAMES = new Intl.Collator("en", { numeric: true });

/** As people count: c2 before c10. */
export function byName<Named extends { readonly name: string }>(things: readonly Named[]): readonly Named[] {
  return things.toSorted((a, b) => NAMES.compare(a.name, b.name));
}

function stationsOf({
  machines,
  nodes,
  containers,
}: Pick<View, "machines" | "nodes" | "containers">): readonly Station[] {
  const nodeOf = new Map(nodes.flatMap((node) => (node.machine === null ? [] : [[node.machine, node]])));
  const inside = Map.groupBy(byName(containers), ({ node }) => node);
  const station = (base: Omit<Station, "containers">): Station => ({
    ...base,
    containers: inside.get(base.node?.id ?? "") ?? [],
  });
  const known = new Set(machines.map(({ id }) => id));
  const lone = nodes.filter(({ machine }) => machine === null || !known.has(machine));
  return [
    ...machines.map(({ id, name, kind, ports }) => station({ id, name, kind, ports, node: nodeOf.get(id) })),
    ...lone.map((node) =>
      station({
        id: node.id,
        name: node.id,
        kind: "host",
        node,
        ports: node.addresses.map((address) => ({ address, segment: null, interface: null, isUp: null })),
      }),
    ),
  ];
}

function sessionPairs(
  sessions: readonly Session[],
  byNode: ReadonlyMap<string, string>,
  byAddress: ReadonlyMap<string, string>,
): readonly SessionPair[] {
  const pairs = Map.groupBy(
    sessions.flatMap((session) => {
      const from = byNode.get(session.from);
      const to = (session.to === null ? undefined : byNode.get(session.to)) ?? byAddress.get(session.address);
      return from === undefined ? [] : [{ session, from, to: to ?? null }];
    }),
    ({ session, from, to }) => [session.family, ...[from, to ?? session.address].sort()].join(" "),
  );
  return Array.from(pairs, ([id, told]) => {
    const [first] = told;
    const ends = told.map(({ session }) => session);
    return {
      id,
      a: first?.from ?? "",
      b: first?.to ?? null,
      ends,
      isEstablished: ends.every(({ state }) => state === "Established"),
      isBroken: ends.some(({ state, isWanted }) => isWanted && state !== "Established"),
    };
  });
}

function tunnelPairs(tunnels: readonly Tunnel[], byNode: ReadonlyMap<string, string>): readonly TunnelPair[] {
  const pairs = Map.groupBy(
    tunnels.flatMap((tunnel) => {
      const from = byNode.get(tunnel.node);
      return tunnel.peers.flatMap((peer) => {
        const to = byNode.get(peer);
        return from === undefined || to === undefined ? [] : [{ tunnel, from, to }];
      });
    }),
    ({ tunnel, from, to }) => [tunnel.kind, ...[from, to].sort()].join(" "),
  );
  return Array.from(pairs, ([id, told]) => {
    const ends = told.map(({ tunnel }) => tunnel);
    const [first] = told;
    return {
      id,
      a: first?.from ?? "",
      b: first?.to ?? null,
      ends,
      kind: ends[0]?.kind ?? "ipip",
      isUp: ends.every(({ isUp }) => isUp !== false),
    };
  });
}

/** What there is to select. */
export interface Selection {
  readonly kind: "segment" | "station" | "container" | "session" | "tunnel";
  readonly id: string;
}

/** `ready`, `not`, or `unknown` where nobody can tell. */
export type Health = "ready" | "not" | "unknown";

/** A node that does not answer is not well, whatever it was. */
export function healthOf({ node, ports }: Station): Health {
  if (ports.some(({ isUp }) => isUp === false)) return "not";
  if (node === undefined) return ports.some(({ isUp }) => isUp === true) ? "ready" : "unknown";
  if (node.isAnswering === false || node.isReady === false) return "not";
  return node.isReady === null ? "unknown" : "ready";
}

export function containerHealth({ isReady }: Container): Health {
  if (isReady === null) return "unknown";
  return isReady ? "ready" : "not";
}

export const TUNNEL_NAMES: Readonly<Record<Tunnel["kind"], string>> = {
  ipip: "IPIP",
  vxlan: "VXLAN",
  vxlan6: "VXLAN (IPv6)",
  wireguard: "WireGuard",
};
