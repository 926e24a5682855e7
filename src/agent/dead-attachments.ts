// SPDX-License-Identifier: Apache-2.0
import { listLinks } from "../dataplane/netlink/link.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import type { Store, WaitOptions } from "../datastore/store.ts";
import { hasAttributes } from "../ipam/block.ts";
import { type Holder, addressesHeldBy, endpointsOf } from "../ipam/held.ts";
import { releaseSeenAddresses } from "../ipam/release.ts";

/**
 * Gives back what containers held whose interfaces are not there when the agent starts: after a reboot nobody asks for them to be taken away any more, and an ADD that was under
 * way has failed with the agent. Must have ended before the first ADD. Returns their IDs.
 */
export async function forgetDeadAttachments(
  { store, rtnetlink }: { readonly store: Store; readonly rtnetlink: Rtnetlink },
  node: Holder,
  options: WaitOptions,
): Promise<readonly string[]> {
  const links = new Set((await rtnetlink.list(listLinks)).map(({ name }) => name));
  const endpoints = await endpointsOf(store, node.name, options);
  // Other orchestrators' plugins see to theirs.
  const dead = endpoints.filter(({ spec }) => spec.orchestrator === "cni" && !links.has(spec.interfaceName));
  if (dead.length === 0) return [];
  const held = await addressesHeldBy(store, node, options);
  for (const { entry, spec } of dead) {
    await store.delete(entry.key, { ...options, expect: entry.revision });
    const { containerID = "", endpoint } = spec;
    const addresses = held.filter((address) => hasAttributes(address, { containerID, interface: endpoint }));
    await releaseSeenAddresses(store, addresses, options);
  }
  return dead.map(({ spec }) => spec.containerID ?? spec.endpoint);
}
