// SPDX-License-Identifier: Apache-2.0
import { listForwardingEntries } from "../dataplane/netlink/fdb.ts";
import { KernelError } from "../dataplane/netlink/kernel-error.ts";
import type { Netns } from "../dataplane/netlink/netns.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { WireguardDevice } from "../dataplane/netlink/wireguard-device.ts";
import { readWireguardPeers } from "../dataplane/wireguard/read-device.ts";
import { familyOf } from "../net/ip.ts";
import type { LinkFacts, PeerFacts, Station } from "../trace/observation.ts";
import { isWireguard } from "../trace/view.ts";
import type { StationPlace } from "./place.ts";

interface Namespace {
  readonly netns: Netns;
  readonly rtnetlink: Rtnetlink;
  readonly place: StationPlace;
}

/** Where tunnels among these links lead, by the neighbour or by the address. Rejects with a `KernelError` where forwarding entries cannot be read. */
export async function readTunnels(
  namespace: Namespace,
  links: readonly LinkFacts[],
): Promise<Pick<Station, "forwarding" | "peers">> {
  const forwarding = await Promise.all(
    links.filter(({ kind }) => kind === "vxlan").map((link) => readForwarding(namespace, link)),
  );
  const peers = await Promise.all(links.filter(isWireguard).map((link) => readPeers(namespace, link)));
  return {
    ...(forwarding.length > 0 && { forwarding: forwarding.flat() }),
    ...(peers.length > 0 && { peers: peers.flat() }),
  };
}

async function readForwarding(
  { rtnetlink }: Namespace,
  { index }: LinkFacts,
): Promise<NonNullable<Station["forwarding"]>> {
  const entries = await rtnetlink.list(listForwardingEntries({ ifIndex: index }));
  return entries.flatMap(({ ifIndex, mac, dst }) => (dst === undefined ? [] : [{ ifIndex, mac, dst }]));
}

/** None where they cannot be read: a trace does without. */
async function readPeers(namespace: Namespace, link: LinkFacts): Promise<readonly PeerFacts[]> {
  try {
    const { netns, place } = namespace;
    const peers = await readWireguardPeers({ netns, link, directory: place.wireguardDirectory });
    return (peers ?? []).map(({ publicKey, allowedIps, endpoint }) => ({
      ifIndex: link.index,
      publicKey,
      allowedIps,
      ...(endpoint !== undefined && { endpoint: endpointText(endpoint) }),
    }));
  } catch (error) {
    if (error instanceof KernelError) return [];
    throw error;
  }
}

function endpointText({ ip, port }: NonNullable<WireguardDevice["peers"][number]["endpoint"]>): string {
  return familyOf(ip) === 4 ? `${ip}:${port}` : `[${ip}]:${port}`;
}
