// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import type { DatastoreConfig } from "../datastore/config.ts";
import { startDaemon } from "./daemon.ts";
import type { Layout } from "./layout.ts";
import { listOccupants, netnsIdAt } from "./occupants.ts";
import type { EtcdMember, Topology } from "./topology-schema.ts";

const CLIENT_PORT = 2379;
const PEER_PORT = 2380;

/** Starts the members that do not run; agents wait until they answer. */
export async function ensureEtcd(layout: Layout, { etcd }: Topology): Promise<void> {
  for (const member of etcd) {
    if (memberPid(layout, member.name) !== undefined) continue;
    const { directory, dataDirectory, logFile } = layout.etcd(member.name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    startDaemon(layout, {
      what: `etcd member "${member.name}"`,
      node: member.name,
      command: "etcd",
      args: memberArgs(member, etcd, dataDirectory),
      logFile,
    });
  }
}

/** The member's process; `undefined` where it does not run. */
export function memberPid(layout: Layout, name: string): number | undefined {
  const id = netnsIdAt(layout.namespacePath(name));
  if (id === undefined) return undefined;
  return listOccupants(new Set([id])).find(({ command }) => command === "etcd")?.pid;
}

/** How agents reach the cluster. */
export function etcdConfig({ etcd }: Topology): DatastoreConfig {
  return { kind: "etcd", endpoints: etcd.map(({ address }) => `http://${address}:${CLIENT_PORT}`) };
}

function memberArgs(
  { name, address }: EtcdMember,
  all: readonly EtcdMember[],
  dataDirectory: string,
): readonly string[] {
  const client = `http://${address}:${CLIENT_PORT}`;
  const peer = (member: EtcdMember): string => `http://${member.address}:${PEER_PORT}`;
  const own = peer({ name, address });
  return [
    ...["--name", name, "--data-dir", dataDirectory, "--logger", "zap"],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", own, "--initial-advertise-peer-urls", own],
    ...["--initial-cluster", all.map((member) => `${member.name}=${peer(member)}`).join(",")],
    ...["--auto-compaction-mode", "revision", "--auto-compaction-retention", "10000"],
  ];
}
