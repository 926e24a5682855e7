// SPDX-License-Identifier: Apache-2.0

/** The addresses and the MAC address that a runtime was asked for. */
const OURS = { type: "margay-cni", capabilities: { ips: true, mac: true } };

/** What the plugins after ours do, by the names of the CNI project (containernetworking/plugins, "meta"); any other gets no configuration of its own. */
const CHAINED: Readonly<Record<string, object>> = {
  /** Ports of the node that lead to a container; packets from the node itself get its address, so that answers come back the same way. */
  portmap: { capabilities: { portMappings: true }, snat: true },
  /** As much as a container may send and receive. */
  bandwidth: { capabilities: { bandwidth: true } },
};

/** A network configuration list (CNI specification, section 1): our plugin, then the others in their order. */
export function renderNetworkList(cniVersion: string, chain: readonly string[]): string {
  const chained = chain.map((type) => ({ type, ...CHAINED[type] }));
  const list = { cniVersion, name: "margay", plugins: [OURS, ...chained] };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}
