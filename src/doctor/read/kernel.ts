// SPDX-License-Identifier: Apache-2.0
import { isNodeEnd, isTunnel } from "../../dataplane/link.ts";
import { listAddresses } from "../../dataplane/netlink/address.ts";
import { ETHTOOL_GENL_NAME, TX_CHECKSUM_FEATURES, getFeatures } from "../../dataplane/netlink/ethtool.ts";
import { openGenetlink } from "../../dataplane/netlink/genetlink.ts";
import { type Link, getLink, listLinks } from "../../dataplane/netlink/link.ts";
import { listNeighbours } from "../../dataplane/netlink/neighbour.ts";
import { listNetnsIds } from "../../dataplane/netlink/netns-id.ts";
import { type Netns, openNetns } from "../../dataplane/netlink/netns.ts";
import { listRoutes } from "../../dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../../dataplane/netlink/rtnetlink.ts";
import { procSys } from "../../dataplane/sysctl.ts";
import { readWireguardPeers } from "../../dataplane/wireguard/read-device.ts";
import { WIREGUARD_DEVICE } from "../../desired/wanted.ts";
import { sysctlsOf } from "../judge/sysctls.ts";
import type { ContainerEnd, KernelSeen } from "../observation.ts";
import { ask } from "./known.ts";

interface Wait {
  readonly signal: AbortSignal;
}

interface Place {
  /** Of the network namespace. */
  readonly netnsPath: string;
  /** Where `wireguard-go` has its sockets. */
  readonly wireguardDirectory: string;
}

/** Reads a network namespace's side of the kernel. Rejects with `KernelError`, or the signal's reason. */
export async function readKernel(
  { netnsPath, wireguardDirectory: directory }: Place,
  wait: Wait,
): Promise<KernelSeen> {
  using netns = openNetns(netnsPath);
  await using rtnetlink = openRtnetlink({ netns });
  const links = await rtnetlink.list(listLinks, wait);
  return {
    links,
    addresses: await rtnetlink.list(listAddresses, wait),
    routes: await rtnetlink.list(listRoutes, wait),
    neighbours: await rtnetlink.list(listNeighbours, wait),
    sysctls: readSysctls(netns, links),
    containerEnds: await readContainerEnds(rtnetlink, links, wait),
    offloads: await readOffloads(netns, links.filter(isTunnel), wait),
    wireguardPeers: await readPeers(netns, links, directory, wait),
  };
}

async function readPeers(
  netns: Netns,
  links: readonly Link[],
  directory: string,
  wait: Wait,
): Promise<KernelSeen["wireguardPeers"]> {
  const link = links.find(({ name }) => name === WIREGUARD_DEVICE);
  return link && (await ask(async () => (await readWireguardPeers({ netns, link, directory })) ?? [], wait));
}

function readSysctls(netns: Netns, links: readonly Link[]): ReadonlyMap<string, string> {
  const read = netns.run(() => sysctlsOf(links).map((path) => [path.join("/"), procSys.read(path)] as const));
  return new Map(read.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
}

/** A container that ends meanwhile, or whose namespace has no path, is left out. */
async function readContainerEnds(
  rtnetlink: Rtnetlink,
  links: readonly Link[],
  wait: Wait,
): Promise<ReadonlyMap<string, ContainerEnd>> {
  const paths = await listNetnsIds(rtnetlink);
  const ends = new Map<string, ContainerEnd>();
  for (const { name, peerIndex, peerNetnsId } of links.filter(isNodeEnd)) {
    const netnsPath = peerNetnsId === undefined ? undefined : paths.get(peerNetnsId);
    if (peerIndex === undefined || (peerNetnsId !== undefined && netnsPath === undefined)) continue;
    try {
      const link = await readLink(netnsPath, peerIndex, rtnetlink, wait);
      if (link !== undefined) ends.set(name, { link, netnsPath });
    } catch {
      wait.signal.throwIfAborted();
    }
  }
  return ends;
}

async function readLink(
  netnsPath: string | undefined,
  index: number,
  home: Rtnetlink,
  wait: Wait,
): Promise<Link | undefined> {
  if (netnsPath === undefined) return (await home.list(getLink({ index }), wait))[0];
  using netns = openNetns(netnsPath);
  await using rtnetlink = openRtnetlink({ netns });
  return (await rtnetlink.list(getLink({ index }), wait))[0];
}

/** A kernel without ethtool by netlink (before Linux 5.6) tells nothing. */
async function readOffloads(
  netns: Netns,
  tunnels: readonly Link[],
  wait: Wait,
): Promise<ReadonlyMap<string, boolean>> {
  const offloads = new Map<string, boolean>();
  if (tunnels.length === 0) return offloads;
  await using genetlink = openGenetlink({ netns });
  try {
    const family = await genetlink.family(ETHTOOL_GENL_NAME, wait);
    for (const { name, index } of tunnels) {
      const [features] = await genetlink.list(getFeatures(family, { index }), wait);
      if (features === undefined) continue;
      offloads.set(
        name,
        TX_CHECKSUM_FEATURES.some((feature) => features.active.has(feature)),
      );
    }
  } catch {
    wait.signal.throwIfAborted();
  }
  return offloads;
}
