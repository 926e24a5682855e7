// SPDX-License-Identifier: Apache-2.0
import { GATEWAY, NODE_END_MAC } from "../desired/wanted.ts";
import { addAddress, listAddresses } from "../dataplane/netlink/address.ts";
import type { KernelError } from "../dataplane/netlink/kernel-error.ts";
import { createVeth } from "../dataplane/netlink/link-veth.ts";
import { type Link, listLinks, setLink } from "../dataplane/netlink/link.ts";
import { NUD_PERMANENT, listNeighbours, replaceNeighbour } from "../dataplane/netlink/neighbour.ts";
import { type Netns, currentNetnsId, openNetns } from "../dataplane/netlink/netns.ts";
import type { NetlinkRequest } from "../dataplane/netlink/request.ts";
import {
  type KernelRoute,
  RTPROT_BOOT,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  addRoute,
  listRoutes,
} from "../dataplane/netlink/route.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { SysctlFiles } from "../dataplane/sysctl.ts";
import { hostCidr, parseCidr } from "../net/cidr.ts";
import { type Ip, addressBits, familyOf } from "../net/ip.ts";
import { describeError } from "../system/log.ts";
import type { Attachment } from "./attachment.ts";
import { CniError } from "./error.ts";

const DEFAULT_ROUTE = parseCidr("0.0.0.0/0");

/** A container's network namespace, with a netlink socket in it; both are closed on disposal. */
export interface Container extends AsyncDisposable {
  readonly netns: Netns;
  readonly rtnetlink: Rtnetlink;
}

/** Opens the namespace at `path`; throws {@link CniError} where there is none, or where it is the node's own. */
export function openContainer(path: string): Container {
  using stack = new DisposableStack();
  const netns = stack.use(openNamespace(path));
  if (netns.id === currentNetnsId()) {
    throw new CniError(
      "invalidEnvironment",
      `Cannot use CNI_NETNS "${path}": it is the node's own network namespace`,
    );
  }
  const rtnetlink = openRtnetlink({ netns });
  const owned = stack.move();
  return {
    netns,
    rtnetlink,
    async [Symbol.asyncDispose]() {
      await rtnetlink[Symbol.asyncDispose]();
      owned.dispose();
    },
  };
}

function openNamespace(path: string): Netns {
  try {
    return openNetns(path);
  } catch (cause) {
    throw new CniError("invalidEnvironment", `Cannot use CNI_NETNS "${path}": ${describeError(cause)}`, {
      cause,
    });
  }
}

export async function findLink({ rtnetlink }: Container, name: string): Promise<Link | undefined> {
  return (await rtnetlink.list(listLinks)).find((link) => link.name === name);
}

/** Makes the pair of interfaces: one end on the node, the other under its own name inside the container. */
export async function connect(
  node: Rtnetlink,
  container: Container,
  attachment: Attachment,
  mtu: number,
): Promise<void> {
  const { nodeEnd, ifName, mac } = attachment;
  // A peer cannot be up before the pair is complete (veth_open(), drivers/net/veth.c): `configure` sees to that.
  const peer = { name: ifName, mac, mtu, netnsFd: container.netns.fd };
  await executeAll(node, [createVeth({ name: nodeEnd, mac: NODE_END_MAC, mtu, up: true, peer })]);
}

/**
 * Gives the container its view of the network: its own address as a /32, the gateway as the only neighbour, and everything else by way of
 * it. The gateway's entry is permanent, so the container never asks for it.
 */
export async function configure(
  container: Container,
  attachment: Attachment,
  ips: readonly Ip[],
  sysctls: SysctlFiles,
): Promise<void> {
  const link = await findLink(container, attachment.ifName);
  if (link === undefined)
    throw new CniError("internal", `Cannot configure "${attachment.ifName}": it is gone again`);
  container.netns.run(() => {
    // Silent in IPv6 as long as the container has no address of that family.
    if (sysctls.read(ipv6Switch(link.name)) !== undefined) sysctls.write(ipv6Switch(link.name), "1");
    // A container routes for nobody.
    sysctls.write(["net", "ipv4", "ip_forward"], "0");
  });
  await executeAll(container.rtnetlink, [
    setLink({ index: link.index, up: true }),
    ...ips.map((ip) =>
      addAddress({
        ifIndex: link.index,
        ip,
        prefixLength: addressBits(familyOf(ip)),
        scope: RT_SCOPE_UNIVERSE,
      }),
    ),
    ...containerRoutes(link).map(addRoute),
    replaceNeighbour({
      ifIndex: link.index,
      ip: GATEWAY,
      mac: NODE_END_MAC,
      state: NUD_PERMANENT,
      flags: 0,
    }),
  ]);
}

/** What of the container's view is not as {@link configure} made it, in words; empty where all of it is. */
export async function inspect(
  container: Container,
  attachment: Attachment,
  ips: readonly Ip[],
): Promise<readonly string[]> {
  const { rtnetlink } = container;
  const link = await findLink(container, attachment.ifName);
  if (link === undefined) return [`interface "${attachment.ifName}" is missing in the container`];
  const addresses = (await rtnetlink.list(listAddresses)).filter(({ ifIndex }) => ifIndex === link.index);
  const routes = await rtnetlink.list(listRoutes);
  const neighbours = await rtnetlink.list(listNeighbours);
  const isGatewayKnown = neighbours.some(
    ({ ifIndex, ip, mac, state }) =>
      ifIndex === link.index && ip === GATEWAY && mac === NODE_END_MAC && state === NUD_PERMANENT,
  );
  const checks: readonly (readonly [boolean, string])[] = [
    [link.up, `interface "${link.name}" is down in the container`],
    [
      link.mac === attachment.mac,
      `interface "${link.name}" has MAC address ${link.mac ?? "none"}, not ${attachment.mac}`,
    ],
    ...ips.map((ip) => {
      const isThere = addresses.some(
        (address) => address.ip === ip && address.prefixLength === addressBits(familyOf(ip)),
      );
      return [isThere, `address "${hostCidr(ip)}" is missing on "${link.name}" in the container`] as const;
    }),
    ...containerRoutes(link).map((route) => {
      const isThere = routes.some((seen) => isSameRoute(seen, route));
      return [isThere, `route "${route.dst}" is missing or different in the container`] as const;
    }),
    [isGatewayKnown, `the permanent neighbour entry for ${GATEWAY} is missing in the container`],
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fault]) => fault);
}

/** The gateway first: a route by way of it is refused before it is known to be on the link. */
function containerRoutes({ index: ifIndex }: Link): readonly KernelRoute[] {
  const common = {
    table: RT_TABLE_MAIN,
    type: "unicast",
    protocol: RTPROT_BOOT,
    metric: 0,
    onlink: false,
    ifIndex,
  } as const;
  return [
    { ...common, dst: hostCidr(GATEWAY), scope: RT_SCOPE_LINK },
    { ...common, dst: DEFAULT_ROUTE, scope: RT_SCOPE_UNIVERSE, gateway: GATEWAY },
  ];
}

/** In whichever table: a plugin that comes later may have moved it, as `sbr` does (specification section 4, "CHECK"). */
function isSameRoute(a: KernelRoute, b: KernelRoute): boolean {
  return a.dst === b.dst && a.ifIndex === b.ifIndex && a.gateway === b.gateway && a.type === b.type;
}

function ipv6Switch(ifName: string): readonly string[] {
  return ["net", "ipv6", "conf", ifName, "disable_ipv6"];
}

async function executeAll(rtnetlink: Rtnetlink, requests: readonly NetlinkRequest[]): Promise<void> {
  const results = await rtnetlink.execute(requests);
  const error = results.find((result): result is KernelError => result !== undefined);
  if (error !== undefined) throw error;
}
