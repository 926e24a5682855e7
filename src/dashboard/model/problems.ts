// SPDX-License-Identifier: Apache-2.0
// What is not as it should be, most basic cause first: a link that is down explains sessions that are.
import type { View } from "../../web/view/view.ts";
import {
  type Selection,
  type SessionPair,
  type Station,
  TUNNEL_NAMES,
  type Topology,
  type Tunnel,
} from "./topology.ts";

export interface Problem {
  /** The same problem keeps it. */
  readonly id: string;
  readonly level: "error" | "warning";
  readonly title: string;
  readonly reasons: readonly string[];
  readonly about: Selection | null;
}

/** How many containers of one node are told one by one. */
const FEW = 3;
/** Of a pool's addresses, in per cent, from which on it is said. */
const NEARLY_FULL = 95;

export function problemsOf(view: Pick<View, "pools" | "tunnels">, topology: Topology): readonly Problem[] {
  const { stations, sessions } = topology;
  const nameOf = (id: string): string => stations.find((station) => station.id === id)?.name ?? id;
  const found = [
    ...stations.flatMap(linkProblems),
    ...stations.flatMap(nodeProblems),
    ...sessions.filter(({ isBroken }) => isBroken).map((pair) => sessionProblem(pair, nameOf)),
    ...view.tunnels.filter(({ isUp }) => isUp === false).map((tunnel) => tunnelProblem(tunnel, stations)),
    ...stations.flatMap(containerProblems),
    ...view.pools.flatMap(poolProblems),
  ];
  return [
    ...found.filter(({ level }) => level === "error"),
    ...found.filter(({ level }) => level !== "error"),
  ];
}

function linkProblems({ id, name, ports }: Station): readonly Problem[] {
  return ports
    .filter(({ isUp }) => isUp === false)
    .map(({ interface: ifName, address, segment }) => ({
      id: `link ${id} ${ifName ?? address}`,
      level: "error",
      title: `${name}: link ${ifName ?? address} is down`,
      reasons: segment === null ? [address] : [`${address}, to ${segment}`],
      about: { kind: "station", id },
    }));
}

function nodeProblems({ id, name, node }: Station): readonly Problem[] {
  if (node === undefined) return [];
  const about = { kind: "station", id } as const;
  if (node.isAnswering === false)
    return [
      {
        id: `node ${id}`,
        level: "error",
        title: `${name}: its agent does not answer`,
        reasons: node.reasons,
        about,
      },
    ];
  const notReady: readonly Problem[] =
    node.isReady === false
      ? [{ id: `node ${id}`, level: "error", title: `${name} is not ready`, reasons: node.reasons, about }]
      : [];
  const degraded: readonly Problem[] =
    node.degraded.length > 0
      ? [
          {
            id: `degraded ${id}`,
            level: "warning",
            title: `${name} is ready, but degraded`,
            reasons: node.degraded,
            about,
          },
        ]
      : [];
  return [...notReady, ...degraded];
}

function sessionProblem({ id, a, b, ends }: SessionPair, nameOf: (id: string) => string): Problem {
  const [first] = ends;
  const other = b === null ? (first?.with ?? first?.address ?? "") : nameOf(b);
  const states = ends
    .filter(({ state }) => state !== "Established")
    .map(
      ({ from, state, lastError }) =>
        `at ${from}: ${state ?? "not configured"}${lastError === null ? "" : `, ${lastError}`}`,
    );
  return {
    id: `session ${id}`,
    level: "error",
    title: `BGP session ${nameOf(a)} – ${other} is not established`,
    reasons: states,
    about: { kind: "session", id },
  };
}

function tunnelProblem({ id, node, kind, interface: ifName }: Tunnel, stations: readonly Station[]): Problem {
  const station = stations.find((candidate) => candidate.node?.id === node);
  return {
    id: `tunnel ${id}`,
    level: "error",
    title: `${node}: tunnel ${TUNNEL_NAMES[kind]} is down`,
    reasons: ifName === null ? [] : [`interface ${ifName}`],
    about: { kind: "station", id: station?.id ?? node },
  };
}

function containerProblems({ id, name, containers }: Station): readonly Problem[] {
  const bad = containers.filter(({ isReady }) => isReady === false);
  if (bad.length > FEW)
    return [
      {
        id: `containers ${id}`,
        level: "error",
        title: `${name}: ${bad.length} containers are not ready`,
        reasons: [...new Set(bad.flatMap(({ missing }) => missing))].slice(0, FEW),
        about: { kind: "station", id },
      },
    ];
  return bad.map((container) => ({
    id: `container ${container.id}`,
    level: "error",
    title: `${container.name} on ${name} is not ready`,
    reasons: container.missing.map((what) => `missing: ${what}`),
    about: { kind: "container", id: container.id },
  }));
}

function poolProblems({ id, name, used, addresses }: View["pools"][number]): readonly Problem[] {
  const share = (100 * used) / Number(addresses);
  if (!(share >= NEARLY_FULL)) return [];
  const text = `${used.toLocaleString("en")} of ${Number(addresses).toLocaleString("en")} addresses are used`;
  return [
    {
      id: `pool ${id}`,
      level: "warning",
      title: `Pool ${name} is nearly full`,
      reasons: [text],
      about: null,
    },
  ];
}
