// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A topology file of its own; disposing it removes it. */
export interface TopologyFile extends Disposable {
  readonly path: string;
}

/** So many hosts on one network, and etcd on a machine of its own. */
export function writeTopology(hosts: number): TopologyFile {
  const directory = mkdtempSync(join(tmpdir(), "margay-bench-"));
  const path = join(directory, "topology.json");
  const topology = {
    underlay: { segments: [{ name: "underlay0", cidr: "192.168.0.0/16" }] },
    hosts: Array.from({ length: hosts }, (_, index) => ({
      name: `host${index + 1}`,
      address: `192.168.1.${index + 1}`,
    })),
    etcd: [{ name: "etcd1", address: "192.168.0.11" }],
    pools: [{ name: "default-ipv4-ippool", cidr: "10.0.0.0/10" }],
  };
  writeFileSync(path, JSON.stringify(topology));
  return {
    path,
    [Symbol.dispose]() {
      rmSync(directory, { recursive: true });
    },
  };
}
