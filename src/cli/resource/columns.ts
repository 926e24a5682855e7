// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, memberAt } from "../../model/json.ts";
import type { Kind } from "../../model/resource.ts";

/** A column of a table of resources. */
export interface Column {
  readonly title: string;
  /** The field, `spec.cidr`, or what to make of the whole resource. */
  readonly value: string | ((resource: unknown) => string);
  /** Only where a wide table is asked for. */
  readonly isWide?: boolean;
}

const NAME: Column = { title: "NAME", value: "metadata.name" };
const NAMESPACE: Column = { title: "NAMESPACE", value: "metadata.namespace" };

/** Columns behind the name, by kind; a kind without an entry has none. Titles are calicoctl's. */
const COLUMNS: { readonly [K in Kind]?: readonly Column[] } = {
  BGPConfiguration: [
    { title: "LOGSEVERITY", value: "spec.logSeverityScreen" },
    { title: "MESHENABLED", value: "spec.nodeToNodeMeshEnabled" },
    { title: "ASNUMBER", value: "spec.asNumber" },
    { title: "LISTENPORT", value: "spec.listenPort", isWide: true },
  ],
  BGPPeer: [
    {
      title: "PEERIP",
      value: (peer) => textOf(memberAt(peer, "spec", "peerIP") ?? memberAt(peer, "spec", "peerSelector")),
    },
    {
      title: "NODE",
      value: (peer) =>
        textOf(memberAt(peer, "spec", "node") ?? memberAt(peer, "spec", "nodeSelector") ?? "(all)"),
    },
    { title: "ASN", value: "spec.asNumber" },
    { title: "FILTERS", value: "spec.filters", isWide: true },
  ],
  FelixConfiguration: [
    { title: "LOGSEVERITY", value: "spec.logSeverityScreen" },
    { title: "CLUSTERROUTES", value: "spec.programClusterRoutes" },
    { title: "WIREGUARD", value: "spec.wireguardEnabled" },
    { title: "VXLANPORT", value: "spec.vxlanPort", isWide: true },
    { title: "VXLANVNI", value: "spec.vxlanVNI", isWide: true },
  ],
  IPAMConfig: [
    { title: "STRICTAFFINITY", value: "spec.strictAffinity" },
    { title: "MAXBLOCKSPERHOST", value: "spec.maxBlocksPerHost" },
    { title: "AUTOALLOCATEBLOCKS", value: "spec.autoAllocateBlocks" },
  ],
  IPPool: [
    { title: "CIDR", value: "spec.cidr" },
    { title: "NAT", value: "spec.natOutgoing", isWide: true },
    { title: "IPIPMODE", value: "spec.ipipMode", isWide: true },
    { title: "VXLANMODE", value: "spec.vxlanMode", isWide: true },
    { title: "DISABLED", value: "spec.disabled", isWide: true },
    { title: "DISABLEBGPEXPORT", value: "spec.disableBGPExport", isWide: true },
    { title: "SELECTOR", value: "spec.nodeSelector" },
    { title: "ALLOCATABLE", value: allocatable },
  ],
  IPReservation: [{ title: "CIDRS", value: "spec.reservedCIDRs" }],
  Node: [
    { title: "ASN", value: "spec.bgp.asNumber", isWide: true },
    { title: "IPV4", value: "spec.bgp.ipv4Address" },
    { title: "IPV6", value: "spec.bgp.ipv6Address", isWide: true },
  ],
  WorkloadEndpoint: [
    { title: "NODE", value: "spec.node" },
    { title: "NETWORKS", value: "spec.ipNetworks" },
    { title: "INTERFACE", value: "spec.interfaceName" },
    { title: "ORCHESTRATOR", value: "spec.orchestrator", isWide: true },
    { title: "MAC", value: "spec.mac", isWide: true },
  ],
};

export function columnsOf(
  kind: Kind,
  { wide, namespace }: { readonly wide: boolean; readonly namespace: boolean },
): readonly Column[] {
  const columns = (COLUMNS[kind] ?? []).filter(({ isWide }) => wide || isWide !== true);
  return [...(namespace ? [NAMESPACE] : []), NAME, ...columns];
}

/** The text of a cell, on one line. */
export function cellText({ value }: Column, resource: unknown): string {
  const field = typeof value === "function" ? value(resource) : memberAt(resource, ...value.split("."));
  return textOf(field).replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function textOf(field: unknown): string {
  if (field === undefined || field === null) return "";
  if (Array.isArray(field)) return field.map(textOf).join(",");
  return typeof field === "string" ? field : JSON.stringify(field);
}

/** What Calico's condition of that name says, with the reason where it is not well. */
function allocatable(resource: unknown): string {
  const conditions = memberAt(resource, "status", "conditions");
  const list: readonly unknown[] = Array.isArray(conditions) ? conditions : [];
  const condition = list.find((one) => isJsonObject(one) && one["type"] === "Allocatable");
  const [status, reason] = [memberAt(condition, "status"), memberAt(condition, "reason")];
  return status === "True" ? "True" : textOf(reason ?? status);
}
