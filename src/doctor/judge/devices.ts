// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus } from "../../agent/answers.ts";
import { isNodeEnd, isTunnel } from "../../dataplane/link.ts";
import type { Link } from "../../dataplane/netlink/link.ts";
import { IPIP_DEVICE, VXLAN6_DEVICE, VXLAN_DEVICE, WIREGUARD_DEVICE } from "../../desired/wanted.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { ContainerEnd, KernelSeen } from "../observation.ts";
import { shellWord } from "../shell.ts";

/** Kinds of tunnel, as status calls them -> their device */
const DEVICES: Readonly<Record<string, string>> = {
  ipip: IPIP_DEVICE,
  vxlan: VXLAN_DEVICE,
  vxlan6: VXLAN6_DEVICE,
  wireguard: WIREGUARD_DEVICE,
};

/** Tunnel devices and containers' links: there, up, of the right size. */
export function judgeDevices(kernel: KernelSeen, status: NodeStatus | undefined): readonly Check[] {
  return [
    ...judgeTunnels(kernel, status),
    ...judgeOffloads(kernel, status),
    ...judgeContainerLinks(kernel),
    ...judgeMtus(kernel, status),
  ];
}

function judgeTunnels({ links }: KernelSeen, status: NodeStatus | undefined): readonly Check[] {
  const ends = new Map(status?.tunnels.map((end) => [DEVICES[end.kind] ?? end.kind, end]));
  const there = links.filter(isTunnel);
  const amiss = there.flatMap((link): readonly Check[] => {
    const checked = subject("tunnel device", link.name);
    if (!link.up)
      return [
        checked.fault(
          "it is down: no packet goes through the tunnel, and the kernel has dropped the routes through it",
          "switch it on; the agent then puts the routes back",
          `ip link set ${link.name} up`,
        ),
      ];
    const mtu = ends.get(link.name)?.mtu;
    if (mtu === undefined || mtu === link.mtu) return [];
    return [
      checked.fault(
        `its MTU is ${link.mtu}, and is to be ${mtu}`,
        "set it",
        `ip link set ${link.name} mtu ${mtu}`,
      ),
    ];
  });
  // IPIP may be done by programs, without a device.
  const missing = [...ends.keys()].filter(
    (name) => name !== IPIP_DEVICE && !there.some((link) => link.name === name),
  );
  return orWell(
    [
      ...amiss,
      ...missing.map((name) =>
        subject("tunnel device", name).fault(
          "it is not there",
          'see the agent\'s log for why it cannot be made, and "margay node checksystem" for whether the kernel can',
        ),
      ),
    ],
    subject("tunnel device", there.map(({ name }) => name).join(", ") || "none").ok(
      there.length === 0 ? "this node has none" : "up",
    ),
  );
}

/** Where the network card computes wrong checksums inside VXLAN, the node has to compute them. */
function judgeOffloads({ offloads }: KernelSeen, status: NodeStatus | undefined): readonly Check[] {
  const ends = status?.tunnels.filter(({ checksums }) => checksums !== undefined) ?? [];
  return ends.map(({ kind, checksums }) => {
    const device = DEVICES[kind] ?? kind;
    const checked = subject("checksum offload", device);
    const isLeft = offloads.get(device);
    if (isLeft === undefined) return checked.skipped("the kernel does not tell");
    if (checksums === "computed" && isLeft)
      return checked.fault(
        "checksums are left to the network card, which computes them wrong: what nodes and containers send by TCP and UDP is lost",
        "have the node compute them",
        `ethtool -K ${device} tx off`,
      );
    return checked.ok(
      isLeft ? "left to the network card, which computes them right" : "the node computes them",
    );
  });
}

function judgeContainerLinks({ links }: KernelSeen): readonly Check[] {
  const ends = links.filter(isNodeEnd);
  const amiss = ends.flatMap((link): readonly Check[] => {
    const checked = subject("container link", link.name);
    if (!link.up)
      return [
        checked.fault(
          "it is down: nothing goes to this container or comes from it. The agent sets a link down that has no WorkloadEndpoint",
          'see "margay get workloadendpoint -A"; a container without one is to be removed and made anew by its runtime. With one, start the agent, which sets it up',
        ),
      ];
    if (link.running) return [];
    return [
      // Whoever is root in the container may have done so.
      checked.warning(
        "the container's end is down, and its routes went with it",
        "have the runtime make the container anew",
      ),
    ];
  });
  return orWell(amiss, subject("container link", "cali*").ok(`${ends.length} up`));
}

/** An end drops what is longer than its own MTU. */
function judgeMtus({ links, containerEnds }: KernelSeen, status: NodeStatus | undefined): readonly Check[] {
  const wanted = status?.mtu.containers ?? undefined;
  const ends = links.filter(isNodeEnd);
  const amiss = ends.flatMap((link): readonly Check[] => {
    const checked = subject("container MTU", link.name);
    const right = wanted ?? link.mtu;
    const own =
      link.mtu === right
        ? []
        : [
            checked.fault(
              `the node's end has ${link.mtu}, and is to have ${right}`,
              "set it",
              `ip link set ${link.name} mtu ${right}`,
            ),
          ];
    const other = containerEnds.get(link.name)?.link.mtu;
    if (other === undefined || other === right) return own;
    const reason = `the container's end has ${other}, and is to have ${right}: ${
      other > right
        ? "what it sends that is longer is lost"
        : "what is sent to it that is longer is lost or cut in pieces"
    }`;
    return [
      ...own,
      checked.fault(
        reason,
        "set it",
        ...inContainer(link, containerEnds, (name) => `ip link set ${name} mtu ${right}`),
      ),
    ];
  });
  const unseen = ends.filter(({ name }) => !containerEnds.has(name)).length;
  const well =
    unseen === 0 ? "both ends are right" : `right; the ends of ${unseen} containers cannot be seen`;
  return orWell(
    amiss,
    subject("container MTU", "cali*").ok(wanted === undefined ? well : `${wanted}: ${well}`),
  );
}

/** A command for the container's end; none where that cannot be reached. */
function inContainer(
  { name }: Link,
  ends: ReadonlyMap<string, ContainerEnd>,
  command: (name: string) => string,
): readonly string[] {
  const end = ends.get(name);
  if (end === undefined) return [];
  const inside = command(shellWord(end.link.name));
  return [end.netnsPath === undefined ? inside : `nsenter --net=${shellWord(end.netnsPath)} ${inside}`];
}
