// SPDX-License-Identifier: Apache-2.0
// For tests: parts of a view.
import type { Item } from "../../web/view/view.ts";

export function machine(
  name: string,
  ports: Readonly<Record<string, string>>,
  kind: Item<"machines">["kind"] = "host",
): Item<"machines"> {
  return {
    id: name,
    name,
    kind,
    ports: Object.entries(ports).map(([address, segment], index) => ({
      segment,
      interface: `eth${index}`,
      address,
      isUp: true,
    })),
  };
}

export function node(id: string, changes: Partial<Item<"nodes">> = {}): Item<"nodes"> {
  return {
    id,
    machine: id,
    addresses: ["192.168.0.101"],
    isOwn: true,
    isAnswering: true,
    isReady: true,
    version: "0.1.0",
    reasons: [],
    degraded: [],
    routeSource: "bird",
    encapsulations: [],
    routesByOrigin: null,
    ...changes,
  };
}

export function container(
  name: string,
  at: string,
  changes: Partial<Item<"containers">> = {},
): Item<"containers"> {
  return {
    id: `${at}/cali-${name}`,
    name,
    node: at,
    interface: `cali-${name}`,
    addresses: [],
    isReady: true,
    missing: [],
    ...changes,
  };
}

export function session(
  from: string,
  to: string | null,
  changes: Partial<Item<"sessions">> = {},
): Item<"sessions"> {
  return {
    id: `${from} ${to ?? ""}`,
    from,
    to,
    with: to,
    address: "192.168.0.1",
    family: 4,
    state: "Established",
    isWanted: true,
    sinceMs: null,
    imported: 0,
    exported: 0,
    lastError: null,
    ...changes,
  };
}

export function tunnel(
  at: string,
  peers: readonly string[],
  changes: Partial<Item<"tunnels">> = {},
): Item<"tunnels"> {
  return {
    id: `${at} vxlan`,
    node: at,
    kind: "vxlan",
    interface: "vxlan.calico",
    address: "10.1.0.9",
    mtu: 1450,
    isUp: true,
    peers: [...peers],
    ...changes,
  };
}
