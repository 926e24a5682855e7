// SPDX-License-Identifier: Apache-2.0
import { NUD_PERMANENT, replaceNeighbour } from "../dataplane/netlink/neighbour.ts";
import { getLink } from "../dataplane/netlink/link.ts";
import { openNetns } from "../dataplane/netlink/netns.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { Ipv4 } from "../net/ipv4.ts";
import type { Mac } from "../net/mac.ts";
import { applyAll } from "./apply.ts";
import { LabError } from "./error.ts";
import type { Layout } from "./layout.ts";
import type { UnderlayNode, UnderlayPort } from "./underlay-plan.ts";

/**
 * One table serves all network namespaces of a machine, and has room for so many unless the system says otherwise (`gc_thresh3` of
 * net/core/neighbour.c). What does not fit gets no packet, in this lab or in another. Permanent entries do not count, since Linux 5.0.
 */
const NEIGHBOUR_ROOM = 1024;

/** A node's port to a segment. */
export interface Station {
  readonly node: string;
  readonly port: UnderlayPort;
}

/** The stations of each segment on which all that speak with all would take more than half of the room. */
export function crowdsOf(nodes: readonly UnderlayNode[]): readonly (readonly Station[])[] {
  const stations = nodes.flatMap(({ name, ports }) => ports.map((port) => ({ node: name, port })));
  const segments = Map.groupBy(stations, ({ port }) => port.segment.name);
  return [...segments.values()].filter(({ length }) => length * (length - 1) > NEIGHBOUR_ROOM / 2);
}

/** Tells the nodes on crowded segments each other's link-layer addresses; all others ask, as machines do. */
export async function ensureNeighbours(layout: Layout, nodes: readonly UnderlayNode[]): Promise<void> {
  for (const stations of crowdsOf(nodes)) {
    const known: Neighbour[] = [];
    for (const station of stations) known.push(await readNeighbour(layout, station));
    for (const station of stations) await introduce(layout, station, known);
  }
}

interface Neighbour {
  readonly ip: Ipv4;
  readonly mac: Mac;
}

async function readNeighbour(layout: Layout, { node, port }: Station): Promise<Neighbour> {
  await using rtnetlink = openNode(layout, node);
  const [link] = await rtnetlink.list(getLink(port.nodeEnd));
  if (link?.mac === undefined)
    throw new LabError("failed", `Cannot tell others of "${node}": "${port.nodeEnd}" is gone`);
  return { ip: port.address, mac: link.mac };
}

async function introduce(
  layout: Layout,
  { node, port }: Station,
  known: readonly Neighbour[],
): Promise<void> {
  await using rtnetlink = openNode(layout, node);
  const [link] = await rtnetlink.list(getLink(port.nodeEnd));
  if (link === undefined)
    throw new LabError("failed", `Cannot tell "${node}" of others: "${port.nodeEnd}" is gone`);
  const others = known.filter(({ ip }) => ip !== port.address);
  await applyAll(
    rtnetlink,
    others.map(({ ip, mac }) => replaceNeighbour({ ifIndex: link.index, ip, mac, state: NUD_PERMANENT })),
  );
}

function openNode(layout: Layout, node: string): Rtnetlink {
  using netns = openNetns(layout.namespacePath(node));
  return openRtnetlink({ netns });
}
