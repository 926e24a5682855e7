// SPDX-License-Identifier: Apache-2.0
import type {
  BlockFacts,
  Encapsulation,
  EndpointFacts,
  NodeFacts,
  PoolFacts,
  Settings,
  StrayAddress,
  VxlanEnd,
} from "../desired/facts.ts";
import type { BGPConfiguration } from "../model/bgp-configuration.ts";
import { type FelixConfiguration, effectiveFelixSpec } from "../model/felix-configuration.ts";
import type { IPPool } from "../model/ip-pool.ts";
import type { IpamBlock } from "../model/ipam-block.ts";
import type { Node } from "../model/node.ts";
import { parseResource, unwrap } from "../model/resource.ts";
import { secondsOf } from "../model/schema.ts";
import type { WorkloadEndpoint } from "../model/workload-endpoint.ts";
import { addressAt, cidrAddress, cidrOf, parseInterfaceAddress } from "../net/cidr.ts";
import type { Ip } from "../net/ip.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import type { Mac } from "../net/mac.ts";

/** Annotation of a Node: `starting` or `bird`, as {@link NodeFacts.routeSource}; `datastore`, or none at all. */
export const ROUTE_SOURCE_ANNOTATION = "margay/route-source";
/** Annotation of a Node: the version of its agent. For people, and for `margay doctor`; nothing else goes by it. */
export const VERSION_ANNOTATION = "margay/version";

/** `undefined` for a node without an IPv4 address: nothing can be routed to it. */
export function nodeFacts(node: Node): NodeFacts | undefined {
  const { spec } = node;
  const { ipv4Address, ipv6Address, asNumber, ipv4IPIPTunnelAddr: ipip } = spec.bgp ?? {};
  if (ipv4Address === undefined) return undefined;
  const { ip, prefixLength } = parseInterfaceAddress(ipv4Address);
  return {
    address: parseIpv4(ip),
    subnet: cidrOf(ip, prefixLength),
    asNumber,
    labels: node.metadata.labels,
    routeReflectorClusterId: spec.bgp?.routeReflectorClusterID,
    ipv6: ipv6Address === undefined ? undefined : networkOf(ipv6Address),
    routeSource: parseRouteSource(node.metadata.annotations?.[ROUTE_SOURCE_ANNOTATION]),
    vxlan: vxlanEnd(spec.ipv4VXLANTunnelAddr, spec.vxlanTunnelMACAddr),
    vxlan6: vxlanEnd(spec.ipv6VXLANTunnelAddr, spec.vxlanTunnelMACAddrV6),
    ipip,
    wireguard: wireguardOf(node),
  };
}

/** Calico may leave out the MAC address: it is no end before it has both. */
function vxlanEnd<Address extends Ip>(
  ip: Address | undefined,
  mac: Mac | undefined,
): VxlanEnd<Address> | undefined {
  return ip === undefined || mac === undefined ? undefined : { ip, mac };
}

function networkOf(interfaceAddress: string): NodeFacts["ipv6"] {
  const { ip, prefixLength } = parseInterfaceAddress(interfaceAddress);
  return { address: ip, subnet: cidrOf(ip, prefixLength) };
}

function wireguardOf({ spec, status }: Node): NodeFacts["wireguard"] {
  const publicKey = status?.wireguardPublicKey;
  return publicKey && { publicKey, ip: spec.wireguard?.interfaceIPv4Address };
}

/** Whoever does not say that it is Margay's own may be a Calico node: it needs no announcements of ours. */
function parseRouteSource(text: string | undefined): NodeFacts["routeSource"] {
  return text === "bird" || text === "starting" ? text : "datastore";
}

export function blockFacts(block: IpamBlock): BlockFacts {
  const node = nodeOfAffinity(block.affinity);
  return { cidr: block.cidr, node, strays: straysOf(block, node) };
}

/** Virtual affinities (`virtual:load-balancer`) belong to no node. */
function nodeOfAffinity(affinity: string | null): string | undefined {
  return affinity?.startsWith("host:") === true ? affinity.slice("host:".length) : undefined;
}

function straysOf(block: IpamBlock, home: string | undefined): readonly StrayAddress[] {
  return block.allocations.flatMap((index, ordinal) => {
    const { releasedAt, secondary } = (index === null ? undefined : block.attributes[index]) ?? {};
    const node = releasedAt === undefined ? secondary?.["node"] : undefined;
    return node === undefined || node === home ? [] : [{ ip: addressAt(block.cidr, ordinal), node }];
  });
}

/** `undefined` for an endpoint that names no MAC address: neighbours cannot be programmed for it. */
export function endpointFacts({ spec }: WorkloadEndpoint): EndpointFacts | undefined {
  if (spec.mac === undefined) return undefined;
  return { ifName: spec.interfaceName, mac: spec.mac, ips: spec.ipNetworks.map(cidrAddress) };
}

export function poolFacts({ spec }: IPPool): PoolFacts {
  return {
    cidr: spec.cidr,
    encapsulation: encapsulationOf(spec),
    disableBgpExport: spec.disableBGPExport,
    natOutgoing: spec.natOutgoing,
  };
}

/** The two modes exclude each other. */
function encapsulationOf({ ipipMode, vxlanMode }: IPPool["spec"]): Encapsulation {
  if (vxlanMode !== "Never") return { kind: "vxlan", crossSubnet: vxlanMode === "CrossSubnet" };
  if (ipipMode !== "Never") return { kind: "ipip", crossSubnet: ipipMode === "CrossSubnet" };
  return { kind: "none" };
}

const CHECKSUM_OVERRIDES: Readonly<Record<string, boolean>> = {
  "ChecksumOffloadBroken=true": true,
  "ChecksumOffloadBroken=false": false,
};

/** The settings of the two resources named `default`, and of the FelixConfiguration of this node alone; an absent one stands for its defaults. */
export function settingsOf(
  felix: FelixConfiguration | undefined,
  bgp: BGPConfiguration | undefined,
  ownFelix?: FelixConfiguration,
): Settings {
  const felixSpec = effectiveFelixSpec(felix, ownFelix);
  const bgpSpec = (bgp ?? defaultBgpConfiguration()).spec;
  return {
    routeSource: felixSpec.programClusterRoutes === "Enabled" ? "datastore" : "bird",
    asNumber: bgpSpec.asNumber,
    nodeMesh: bgpSpec.nodeToNodeMeshEnabled,
    meshRestartSeconds: secondsOf(bgpSpec.nodeMeshMaxRestartTime ?? DEFAULT_RESTART_TIME),
    meshPassword: bgpSpec.nodeMeshPassword?.secretKeyRef,
    prefixAdvertisements: advertisementsOf(bgpSpec),
    ignoredInterfaces: bgpSpec.ignoredInterfaces ?? [],
    birdLogLevel: bgpSpec.logSeverityScreen,
    bindsNodeAddress: bgpSpec.bindMode === "NodeIP",
    listenPort: bgpSpec.listenPort,
    vxlanVni: felixSpec.vxlanVNI,
    vxlanPort: felixSpec.vxlanPort,
    isChecksumOffloadBroken: CHECKSUM_OVERRIDES[felixSpec.featureDetectOverride],
    tunnelMtus: {
      ipip: felixSpec.ipipMTU,
      vxlan: felixSpec.vxlanMTU,
      vxlan6: felixSpec.vxlanMTUV6,
      wireguard: felixSpec.wireguardMTU,
    },
    wireguardEnabled: felixSpec.wireguardEnabled,
    wireguardPort: felixSpec.wireguardListeningPort,
    natAddress: felixSpec.natOutgoingAddress,
    natPorts: portsOf(felixSpec.natPortRange),
    natSparesHosts: felixSpec.natOutgoingExclusions === "IPPoolsAndHostIPs",
  };
}

function portsOf(written: FelixConfiguration["spec"]["natPortRange"]): Settings["natPorts"] {
  if (written === undefined) return undefined;
  const [first = 0, last = first] = String(written).split(":").map(Number);
  return [first, last];
}

/** As long as BIRD's own. */
const DEFAULT_RESTART_TIME = "120s";

/** Communities are named, or written out; a name that nothing has stays, for whoever tells of it. */
function advertisementsOf({
  communities = [],
  prefixAdvertisements = [],
}: BGPConfiguration["spec"]): Settings["prefixAdvertisements"] {
  const values = new Map(communities.map(({ name, value }) => [name, value]));
  return prefixAdvertisements.map(({ cidr, communities: names }) => ({
    cidr,
    communities: names.map((name) => values.get(name) ?? name),
  }));
}

function defaultBgpConfiguration(): BGPConfiguration {
  const kind = "BGPConfiguration";
  const empty = { apiVersion: "projectcalico.org/v3", kind, metadata: { name: "default" }, spec: {} };
  return unwrap(parseResource(kind, empty), `default ${kind}`);
}
