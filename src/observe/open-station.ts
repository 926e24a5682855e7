// SPDX-License-Identifier: Apache-2.0
import { openPacketSocket, type PacketSocket } from "../dataplane/capture/packet-socket.ts";
import { listAddresses } from "../dataplane/netlink/address.ts";
import { KernelError } from "../dataplane/netlink/kernel-error.ts";
import { type Link, listLinks } from "../dataplane/netlink/link.ts";
import { NUD_PERMANENT, type Neighbour, listNeighbours } from "../dataplane/netlink/neighbour.ts";
import { type Netns, openNetns } from "../dataplane/netlink/netns.ts";
import { RT_TABLE_MAIN, listRoutesWhere, matchRoute } from "../dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { procSys } from "../dataplane/sysctl.ts";
import { cidrContainsIp } from "../net/cidr.ts";
import { type Ip, familyOf } from "../net/ip.ts";
import type {
  AddressFacts,
  LinkFacts,
  Lookup,
  NeighbourFacts,
  Question,
  RouteFacts,
  Station,
} from "../trace/observation.ts";
import type { StationPlace } from "./place.ts";
import { readTunnels } from "./read-tunnels.ts";

/** A station that is being looked into. What throws is a `KernelError`. */
export interface OpenStation extends AsyncDisposable {
  readonly place: StationPlace;
  readonly netns: Netns;
  readonly capture: PacketSocket;
  links(): Promise<readonly LinkFacts[]>;
  addresses(): Promise<readonly AddressFacts[]>;
  neighbours(): Promise<readonly NeighbourFacts[]>;
  /** What this kernel does with such a packet. */
  ask(question: Question): Promise<Lookup>;
  /** Of VXLAN devices among the links, what their forwarding tables say of neighbours; of WireGuard devices, their peers. */
  tunnels(links: readonly LinkFacts[]): Promise<Pick<Station, "forwarding" | "peers">>;
  /** Those of the main table that hold one of the addresses. */
  routes(ends: { readonly src: Ip; readonly dst: Ip }): Promise<readonly RouteFacts[]>;
  /** Those of the settings that are there, by their paths under /proc/sys. */
  settings(paths: readonly string[]): Readonly<Record<string, string>>;
}

/** Opens it, and begins to capture what the filter lets through. */
export function openStation(place: StationPlace, filter: Uint8Array): OpenStation {
  using stack = new DisposableStack();
  const netns = stack.use(openNetns(place.netnsPath));
  const capture = stack.use(netns.run(() => openPacketSocket(filter)));
  const rtnetlink = openRtnetlink({ netns });
  const held = stack.move();
  return {
    place,
    netns,
    capture,
    links: async () => (await rtnetlink.list(listLinks)).map(linkFacts),
    addresses: () => rtnetlink.list(listAddresses),
    neighbours: async () => (await rtnetlink.list(listNeighbours)).map(neighbourFacts),
    tunnels: (links) => readTunnels({ netns, rtnetlink, place }, links),
    ask: (question) => ask(rtnetlink, question),
    routes: ({ src, dst }) => routesTo(rtnetlink, [src, dst]),
    settings: (paths) => netns.run(() => readSettings(paths)),
    async [Symbol.asyncDispose]() {
      await rtnetlink[Symbol.asyncDispose]();
      held.dispose();
    },
  };
}

async function routesTo(rtnetlink: Rtnetlink, ips: readonly Ip[]): Promise<readonly RouteFacts[]> {
  const [ip] = ips;
  if (ip === undefined) return [];
  const all = await rtnetlink.list(listRoutesWhere({ family: familyOf(ip), table: RT_TABLE_MAIN }));
  return all.filter(({ dst }) => ips.some((one) => cidrContainsIp(dst, one)));
}

async function ask(rtnetlink: Rtnetlink, question: Question): Promise<Lookup> {
  try {
    const [route] = await rtnetlink.list(matchRoute(question));
    // One that the codec cannot describe is better left out than told wrongly.
    const result =
      route === undefined
        ? ({ kind: "refused", code: "unknown" } as const)
        : ({ kind: "route", route } as const);
    return { ...question, result };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { ...question, result: { kind: "refused", code: error.code } };
  }
}

function linkFacts({ index, name, kind, tunnel, mac, mtu, up, running }: Link): LinkFacts {
  return {
    index,
    name,
    ...(kind !== undefined && { kind }),
    ...(tunnel?.kind === "vxlan" && { vxlanPort: tunnel.port }),
    ...(tunnel?.kind === "vxlan" &&
      tunnel.localIp !== undefined && { vxlanFamily: familyOf(tunnel.localIp) }),
    ...(mac !== undefined && { mac }),
    mtu,
    up,
    running,
  };
}

/** While it is not known, or no longer, the kernel says no MAC address. */
function neighbourFacts({ ifIndex, ip, mac, state }: Neighbour): NeighbourFacts {
  if (mac === undefined) return { ifIndex, ip, state: "unknown" };
  return { ifIndex, ip, mac, state: (state & NUD_PERMANENT) === 0 ? "known" : "permanent" };
}

function readSettings(paths: readonly string[]): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of paths) {
    const value = procSys.read(path.split("/"));
    if (value !== undefined) found[path] = value;
  }
  return found;
}
