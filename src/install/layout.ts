// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { NodeName } from "../model/name.ts";
import type { Chain } from "./chain.ts";
import type { NodeFile } from "./node-file.ts";
import { renderAgentConfig } from "./templates/agent-config.ts";
import { NETWORKD_LINKS, NETWORKD_ROUTES, NETWORK_MANAGER, SYSCTL } from "./templates/drop-ins.ts";
import { renderNetworkList } from "./templates/network-list.ts";
import { renderService } from "./templates/service.ts";

export const AGENT_CONFIG = "/etc/margay/agent.yaml";
export const SERVICE = "margay-agent.service";
/** Where units of a machine's operator are (systemd.unit(5)). */
export const UNIT_DIRECTORY = "/etc/systemd/system";

/** Where things go on a node, by the node's own paths. */
export interface LayoutOptions {
  /** Where runtimes look for plugins. */
  readonly cniBinDirectory: string;
  /** Where runtimes look for networks. */
  readonly cniConfigDirectory: string;
  /** The `margay` program that the service runs. */
  readonly program: string;
}

/**
 * The files that make a machine a node, in the order in which they come: runtimes take the network for ready as soon as its configuration is there,
 * so that one is the last.
 */
export function nodeFiles(
  { cniBinDirectory, cniConfigDirectory, program }: LayoutOptions,
  plugin: string,
  nodeName: NodeName,
  chain: Chain,
): readonly NodeFile[] {
  return [
    { kind: "program", path: join(cniBinDirectory, "margay-cni"), source: plugin },
    ...chain.links.map(({ path, target }) => ({ kind: "link", path, target }) as const),
    { kind: "first", path: AGENT_CONFIG, text: renderAgentConfig(nodeName) },
    { kind: "text", path: "/etc/sysctl.d/90-margay.conf", text: SYSCTL },
    { kind: "text", path: "/etc/NetworkManager/conf.d/margay.conf", text: NETWORK_MANAGER },
    { kind: "text", path: "/etc/systemd/network/10-margay.network", text: NETWORKD_LINKS },
    { kind: "text", path: "/etc/systemd/networkd.conf.d/margay.conf", text: NETWORKD_ROUTES },
    { kind: "text", path: join(UNIT_DIRECTORY, SERVICE), text: renderService(program, AGENT_CONFIG) },
    {
      kind: "text",
      path: join(cniConfigDirectory, "10-margay.conflist"),
      text: renderNetworkList(chain.cniVersion, chain.names),
    },
  ];
}
