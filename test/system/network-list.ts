// SPDX-License-Identifier: Apache-2.0
// The network configuration list that runtimes get in tests.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What networks of ours are called. */
export const NETWORK = "margay";

/** Margay first, then Debian's plugins for published ports and for bandwidth. */
export function networkList(agentSocket: string): object {
  return {
    cniVersion: "1.0.0",
    name: NETWORK,
    plugins: [
      {
        type: "margay-cni",
        agentSocket,
        // All that a runtime might have to say.
        capabilities: {
          ...{ ips: true, mac: true, dns: true, aliases: true, portMappings: true, bandwidth: true },
          "io.kubernetes.cri.pod-annotations": true,
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
      { type: "bandwidth", capabilities: { bandwidth: true } },
    ],
  };
}

/** Writes the list to where a runtime finds it, into a folder below `directory`; gives the folder's path. */
export async function writeNetworkList(directory: string, agentSocket: string): Promise<string> {
  const folder = join(directory, "networks");
  await mkdir(folder);
  await writeFile(join(folder, "10-margay.conflist"), JSON.stringify(networkList(agentSocket)));
  return folder;
}
