// SPDX-License-Identifier: Apache-2.0
import { serveTraces } from "../observe/exchange/serve.ts";
import { poolOf } from "../model/pools.ts";
import { type AgentConfig, wireguardDirectory } from "./config.ts";
import type { AgentCollaborators, AgentParts } from "./parts.ts";

/** Takes part in traces of other nodes that concern a container of this one. */
export function joinTraces(
  {
    store,
    catalog,
    calculation,
    processes,
    clock,
    log,
  }: Pick<AgentParts, "store" | "catalog" | "calculation"> & AgentCollaborators,
  config: AgentConfig,
): AsyncDisposable {
  return serveTraces(
    { store, processes, clock, log: log.scope("trace") },
    {
      nodeName: config.nodeName,
      wireguardDirectory: wireguardDirectory(config),
      isOwn: (ip) => Iterator.from(calculation.endpoints()).some(([, { ips }]) => ips.includes(ip)),
      isPooled: (ip) => poolOf(catalog.pools, ip) !== undefined,
    },
  );
}
