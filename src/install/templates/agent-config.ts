// SPDX-License-Identifier: Apache-2.0
import type { NodeName } from "../../model/name.ts";

/** The agent's first configuration; from then on the file is the operator's. */
export function renderAgentConfig(nodeName: NodeName): string {
  return `# The agent's configuration; see docs/agent.md. "margay node install" does not touch it again.
nodeName: ${JSON.stringify(nodeName)}

# Others reach this node at this address; without it, the agent finds one.
#address: 192.168.0.101/24

# Without it, what nodes share is kept in a file of this machine, for this machine alone.
#datastore:
#  kind: etcd
#  endpoints: [https://192.0.2.1:2379]
#  caFile: /etc/margay/etcd/ca.crt
#  certFile: /etc/margay/etcd/client.crt
#  keyFile: /etc/margay/etcd/client.key
`;
}
