// SPDX-License-Identifier: Apache-2.0
import { NODE_END_MAC, gatewayOf } from "../desired/wanted.ts";
import { addAddress, listAddresses } from "../dataplane/netlink/address.ts";
import { type KernelError, isKernelError } from "../dataplane/netlink/kernel-error.ts";
import { createVeth } from "../dataplane/netlink/link-veth.ts";
import { type Link, getLink, listLinks, setLink } from "../dataplane/netlink/link.ts";
import { NUD_PERMANENT, listNeighbours, replaceNeighbour } from "../dataplane/netlink/neighbour.ts";
import { type Netns, currentNetnsId, openNetns } from "../dataplane/netlink/netns.ts";
import type { NetlinkRequest } from "../dataplane/netlink/request.ts";
import { type KernelRoute, RT_SCOPE_UNIVERSE, addRoute, listRoutes } from "../dataplane/netlink/route.ts";
import { type Rule, addRule, deleteRule, listRules } from "../dataplane/netlink/rule.ts";
import { type Rtnetlink, openRtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { SysctlFiles } from "../dataplane/sysctl.ts";
import { hostCidr } from "../net/cidr.ts";
import type { IfName } from "../net/if-name.ts";
import { type Family, type Ip, addressBits, familyOf } from "../net/ip.ts";
import { describeError } from "../system/log.ts";
import type { Attachment } from "./attachment.ts";
import { type Part, containerRoutes, isOurRule, isRuleOf, partOf, ruleFrom } from "./container-routes.ts";
import { CniError } from "./error.ts";

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
 * Gives the container its view of the network: its own addresses as /32 and /128, the gateway of each family as the only neighbour, and everything else by way of
 * it. The gateway's entry is permanent, so the container never asks for it. Where another interface leads everywhere already, this one carries what is sent from its own addresses. Gives the routes.
 */
export async function configure(
  container: Container,
  attachment: Attachment,
  ips: readonly Ip[],
  sysctls: SysctlFiles,
): Promise<readonly KernelRoute[]> {
  const link = await findLink(container, attachment.ifName);
  if (link === undefined)
    throw new CniError("internal", `Cannot configure "${attachment.ifName}": it is gone again`);
  const families = familiesOf(ips);
  const seen = await container.rtnetlink.list(listRoutes);
  const parts = new Map(families.map((family) => [family, partOf(seen, link.index, family)]));
  const routes = Array.from(parts, ([family, part]) => containerRoutes(link.index, family, part)).flat();
  container.netns.run(() => {
    for (const [path, value] of containerSysctls(link.name, families)) {
      if (sysctls.read(path) !== undefined) sysctls.write(path, value);
    }
  });
  await executeAll(container.rtnetlink, [
    setLink({ index: link.index, up: true }),
    ...ips.map((ip) =>
      addAddress(
        {
          ifIndex: link.index,
          ip,
          prefixLength: addressBits(familyOf(ip)),
          scope: RT_SCOPE_UNIVERSE,
        },
        // Nobody else is on the link, and addresses are given out once.
        { skipDuplicateDetection: familyOf(ip) === 6 },
      ),
    ),
    ...routes.map(addRoute),
    ...families.map((family) =>
      replaceNeighbour({
        ifIndex: link.index,
        ip: gatewayOf(family),
        mac: NODE_END_MAC,
        state: NUD_PERMANENT,
        flags: 0,
      }),
    ),
    ...ips
      .filter((ip) => parts.get(familyOf(ip)) === "further")
      .map((ip) => addRule(ruleFrom(ip, link.index))),
  ]);
  return routes;
}

/** As {@link withdraw}, in whatever container there still is at the path. */
export async function withdrawAt(path: string, attachment: Attachment): Promise<void> {
  await inContainerAt(path, (container) => withdraw(container, attachment));
}

async function inContainerAt(path: string, task: (container: Container) => Promise<void>): Promise<void> {
  try {
    await using container = openContainer(path);
    await task(container);
  } catch (error) {
    // It is gone, and with it what it held.
    if (!(error instanceof CniError)) throw error;
  }
}

/**
 * As {@link withdraw}, in whatever container the other end of the attachment's interface is in, where nobody says which. `paths` gives the paths of
 * namespaces by the numbers that the node has for them; it is asked only where there is such an interface. A container without a path keeps its rules.
 */
export async function withdrawBehind(
  node: Rtnetlink,
  { nodeEnd }: Attachment,
  paths: () => Promise<ReadonlyMap<number, string>>,
): Promise<void> {
  const link = await linkIfThere(node, nodeEnd);
  if (link?.peerIndex === undefined || link.peerNetnsId === undefined) return;
  const { peerIndex, peerNetnsId } = link;
  const path = (await paths()).get(peerNetnsId);
  if (path !== undefined) await inContainerAt(path, (container) => deleteRulesOf(peerIndex, container));
}

/** Takes away what outlives the interface in the container: the rules of one that was not the first. What is gone already is no fault. */
export async function withdraw(container: Container, { ifName }: Attachment): Promise<void> {
  // As in most containers.
  if ((await listOurRules(container)).length === 0) return;
  const link = await findLink(container, ifName);
  if (link !== undefined) await deleteRulesOf(link.index, container);
}

async function linkIfThere(rtnetlink: Rtnetlink, name: IfName): Promise<Link | undefined> {
  try {
    return (await rtnetlink.list(getLink(name)))[0];
  } catch (error) {
    if (isKernelError(error, "ENODEV")) return undefined;
    throw error;
  }
}

async function deleteRulesOf(ifIndex: number, container: Container): Promise<void> {
  const rules = await listOurRules(container);
  await container.rtnetlink.execute(rules.filter((rule) => isRuleOf(rule, ifIndex)).map(deleteRule));
}

async function listOurRules({ rtnetlink }: Container): Promise<readonly Rule[]> {
  return (await rtnetlink.list(listRules)).filter(isOurRule);
}

function familiesOf(ips: readonly Ip[]): readonly Family[] {
  return [...new Set(ips.map(familyOf))];
}

/** Those of a kernel without IPv6 are not there. */
function containerSysctls(
  ifName: string,
  families: readonly Family[],
): readonly (readonly [path: readonly string[], value: string])[] {
  const ipv6 = (name: string): readonly string[] => ["net", "ipv6", "conf", ifName, name];
  return [
    // A container routes for nobody.
    [["net", "ipv4", "ip_forward"], "0"],
    ...(families.includes(6)
      ? ([
          [["net", "ipv6", "conf", "all", "forwarding"], "0"],
          // Its link-local address counts at once as well, and no router is looked for or believed.
          [ipv6("accept_dad"), "0"],
          [ipv6("accept_ra"), "0"],
          [ipv6("disable_ipv6"), "0"],
        ] as const)
      : // Silent in IPv6 as long as the container has no address of that family.
        ([[ipv6("disable_ipv6"), "1"]] as const)),
  ];
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
  const rules = await rtnetlink.list(listRules);
  const families = familiesOf(ips);
  const partIn = (family: Family): Part => {
    const isFurther = rules.some((rule) => rule.family === family && isRuleOf(rule, link.index));
    return isFurther ? "further" : partOf(routes, link.index, family);
  };
  const wanted = families.flatMap((family) => containerRoutes(link.index, family, partIn(family)));
  const further = ips.filter((ip) => partIn(familyOf(ip)) === "further");
  const isKnown = (gateway: Ip): boolean =>
    neighbours.some(
      ({ ifIndex, ip, mac, state }) =>
        ifIndex === link.index && ip === gateway && mac === NODE_END_MAC && state === NUD_PERMANENT,
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
    ...wanted.map((route) => {
      const isThere = routes.some((seen) => isSameRoute(seen, route));
      return [isThere, `route "${route.dst}" is missing or different in the container`] as const;
    }),
    ...further.map((ip) => {
      const isThere = rules.some((rule) => isRuleOf(rule, link.index) && rule.src === hostCidr(ip));
      return [isThere, `the rule for packets from "${ip}" is missing in the container`] as const;
    }),
    ...families.map(gatewayOf).map((gateway) => {
      return [
        isKnown(gateway),
        `the permanent neighbour entry for ${gateway} is missing in the container`,
      ] as const;
    }),
  ];
  return checks.filter(([isRight]) => !isRight).map(([, fault]) => fault);
}

/** In whichever table: a plugin that comes later may have moved it, as `sbr` does (specification section 4, "CHECK"). */
function isSameRoute(a: KernelRoute, b: KernelRoute): boolean {
  return a.dst === b.dst && a.ifIndex === b.ifIndex && a.gateway === b.gateway && a.type === b.type;
}

async function executeAll(rtnetlink: Rtnetlink, requests: readonly NetlinkRequest[]): Promise<void> {
  const results = await rtnetlink.execute(requests);
  const error = results.find((result): result is KernelError => result !== undefined);
  if (error !== undefined) throw error;
}
