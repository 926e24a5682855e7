// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus } from "../agent/answers.ts";

type Session = NonNullable<NodeStatus["bird"]>["sessions"][number];

/** The status for a person: whether the node does its work, what is amiss, and then how it works. */
export function renderNodeStatus(status: NodeStatus): string {
  const { nodeName, ready, reasons, degraded, ignored, unroutable, dataplane } = status;
  return [
    `${nodeName} is ${ready ? "ready" : "not ready"}`,
    ...section("Not ready, because", reasons),
    ...section("Amiss", degraded),
    ...section("Not known, and ignored", ignored),
    ...section(
      "Without a route",
      unroutable.map(({ dst, reason }) => `${dst}: ${reason}`),
    ),
    ...section("Address", addressLines(status)),
    ...section("Routes to other nodes", routeLines(status)),
    ...section("Pools", poolLines(status)),
    ...section("MTU", mtuLines(status)),
    ...section("Kernel", kernelLines(dataplane)),
  ].join("\n");
}

function addressLines({ address, ipv6Address }: NodeStatus): readonly string[] {
  return [address, ipv6Address]
    .filter((one) => one !== null)
    .map(({ current, reason }) => `${current} (${reason})`);
}

function routeLines({ routeSource, bird }: NodeStatus): readonly string[] {
  const source = routeSource === "bird" ? "by BGP" : "from the datastore";
  if (bird === null) return [source];
  return [
    `${source}; BIRD runs as process ${bird.pid ?? "unknown"}`,
    ...bird.sessions.map((session) => sessionLine(session)),
  ];
}

function sessionLine({ name, peer, state, bfd }: Session): string {
  return `${name}  ${peer}  ${state}${bfd === undefined ? "" : `  BFD ${bfd}`}`;
}

function poolLines({ pools }: NodeStatus): readonly string[] {
  const mode = (pool: NodeStatus["pools"][number]): string => {
    if (pool.ipipMode !== "Never") return `IPIP ${pool.ipipMode}`;
    return pool.vxlanMode === "Never" ? "as they are" : `VXLAN ${pool.vxlanMode}`;
  };
  return pools.map((pool) => `${pool.name}  ${pool.cidr}  ${mode(pool)}`);
}

function mtuLines({ mtu, tunnels }: NodeStatus): readonly string[] {
  return [
    `underlay  ${mtu.underlay ?? "unknown"}`,
    ...tunnels.map(tunnelLine),
    `containers  ${mtu.containers ?? "unknown"}`,
  ];
}

function tunnelLine({ kind, address, mtu, checksums }: NodeStatus["tunnels"][number]): string {
  const slow = "the node computes checksums: those left to the network card come out wrong";
  return `${kind}  ${mtu ?? "unknown"}  this end is ${address}${checksums === "computed" ? `; ${slow}` : ""}`;
}

function kernelLines({ isSettled, wanted, faults, blocked }: NodeStatus["dataplane"]): readonly string[] {
  const counts = Object.entries(wanted).filter(([, count]) => count > 0);
  return [
    isSettled ? "is as it should be" : "is being brought in line",
    counts.map(([kind, count]) => `${kind} ${count}`).join(", "),
    ...faults.map(({ kind, key, reason }) => `fault  ${kind} ${key}: ${reason}`),
    ...blocked.map(({ kind, key, reason }) => `waits  ${kind} ${key}: ${reason}`),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
}
