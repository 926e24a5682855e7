// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type Cidr, cidrContainsIp, parseCidr } from "../net/cidr.ts";
import { type Ip, familyOf, parseIp } from "../net/ip.ts";
import { type Resource, clusterResource } from "./metadata.ts";
import {
  type Output,
  addConflict,
  asNumberField,
  keepaliveTimeField,
  portField,
  restartTimeField,
  secretRefField,
  selectorField,
  textField,
} from "./schema.ts";

/** Where a peer listens. */
export interface PeerAddress {
  readonly ip: Ip;
  /** @default the cluster's listen port */
  readonly port?: number;
}

/** Reads `192.0.2.1`, `192.0.2.1:1790`, `2001:db8::1` or `[2001:db8::1]:1790`. */
export function parsePeerAddress(text: string): PeerAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (bracketed === undefined && plain === undefined) return { ip: parseIp(text) };
  const ip = parseIp(bracketed ?? plain ?? "");
  if (digits === undefined) return { ip };
  const port = portField.safeParse(Number(digits));
  if (!port.success) throw new SyntaxError(`Cannot use peer "${text}": want a port from 1 to 65535`);
  return { ip, port: port.data };
}

/** Addresses that no router can be spoken with at, or be reached by, and why; RFC 6890 lists them. */
const NO_ROUTERS: readonly (readonly [cidr: Cidr, why: string])[] = (
  [
    ["0.0.0.0/8", "it is no host's"],
    ["127.0.0.0/8", "it is this node's own (loopback)"],
    ["224.0.0.0/4", "it is a group's (multicast)"],
    ["240.0.0.0/4", "it is no host's"],
    ["::/128", "it is no host's"],
    ["::1/128", "it is this node's own (loopback)"],
    ["::ffff:0:0/96", "write it as the IPv4 address that it stands for"],
    ["fe80::/10", "on which link it is cannot be said; want one that is valid beyond its link"],
    ["ff00::/8", "it is a group's (multicast)"],
  ] as const
).map(([cidr, why]) => [parseCidr(cidr), why]);

/** Gives back the address of a router; throws `RangeError` where it can be none. */
function routerAddress(ip: Ip): Ip {
  const [, why] = NO_ROUTERS.find(([cidr]) => cidrContainsIp(cidr, ip)) ?? [];
  if (why !== undefined) throw new RangeError(`Cannot use "${ip}" as a router's address: ${why}`);
  return ip;
}

/** BFD (RFC 5880) beside a session, which ends with it; Margay's own, for Calico has none. */
const bfd = z.strictObject({
  /** How often this node can hear from the peer, and how often it sends; in milliseconds. */
  minReceiveInterval: z.int().min(10).max(60_000).default(300),
  minTransmitInterval: z.int().min(10).max(60_000).default(300),
  /** So many intervals without a word, and the peer is gone. */
  multiplier: z.int().min(2).max(255).default(3),
});

const fields = z.strictObject({
  /** This node alone; without it and `nodeSelector`, every node. */
  node: z.string().min(1).exactOptional(),
  nodeSelector: selectorField.exactOptional(),
  peerIP: textField((text) => {
    routerAddress(parsePeerAddress(text).ip);
    return text;
  })
    .meta({ title: "address, or with a port" })
    .exactOptional(),
  /** Nodes of the cluster. */
  peerSelector: selectorField.exactOptional(),
  asNumber: asNumberField.exactOptional(),
  localASNumber: asNumberField.exactOptional(),
  keepOriginalNextHop: z.boolean().exactOptional(),
  nextHopMode: z.enum(["Auto", "Self", "Keep"]).exactOptional(),
  password: z.strictObject({ secretKeyRef: secretRefField }).exactOptional(),
  sourceAddress: z.enum(["UseNodeIP", "None"]).default("UseNodeIP"),
  maxRestartTime: restartTimeField.exactOptional(),
  keepaliveTime: keepaliveTimeField.exactOptional(),
  numAllowedLocalASNumbers: z.int().min(0).max(255).exactOptional(),
  /** How many hops away the peer may be at most (RFC 5082). */
  ttlSecurity: z.int().min(1).max(255).exactOptional(),
  /** The gateway behind which the peer is. */
  reachableBy: textField((text) => routerAddress(parseIp(text)))
    .meta({ title: "address" })
    .exactOptional(),
  reversePeering: z.enum(["Auto", "Manual"]).default("Auto"),
  /** Names of BGPFilter resources, in the order in which they are asked. */
  filters: z.array(z.string().min(1)).default([]),
  bfd: bfd.exactOptional(),
});

const spec = fields.superRefine((peer, context) => {
  if (peer.node !== undefined && peer.nodeSelector !== undefined)
    addConflict(context, ["nodeSelector"], "the peer is for one node: node is set too");
  if (peer.peerIP === undefined && peer.peerSelector === undefined)
    context.addIssue({ code: "custom", path: ["peerIP"], message: "want peerIP or peerSelector" });
  if (peer.peerSelector !== undefined) checkSelected(peer, context);
  if (peer.peerIP !== undefined && peer.asNumber === undefined)
    context.addIssue({ code: "custom", path: ["asNumber"], message: "a peer by address needs one" });
  checkReachableBy(peer, context);
  if (peer.keepOriginalNextHop === true && (peer.nextHopMode ?? "Keep") !== "Keep")
    addConflict(context, ["nextHopMode"], "keepOriginalNextHop is set too");
});

function checkSelected(peer: z.output<typeof fields>, context: z.core.$RefinementCtx): void {
  if (peer.peerIP !== undefined) addConflict(context, ["peerSelector"], "peerIP is set too");
  if (peer.asNumber !== undefined)
    addConflict(context, ["asNumber"], "nodes that are selected have numbers of their own");
}

function checkReachableBy(
  { peerIP, reachableBy }: z.output<typeof fields>,
  context: z.core.$RefinementCtx,
): void {
  if (reachableBy === undefined) return;
  if (peerIP === undefined) addConflict(context, ["reachableBy"], "it is for a peer by address");
  else if (familyOf(parsePeerAddress(peerIP).ip) !== familyOf(reachableBy))
    addConflict(context, ["reachableBy"], `it is not of the family of peer "${peerIP}"`);
}

export type BGPPeerSpec = Output<typeof spec>;
/** A session, or one for each pair of nodes that it selects. */
export type BGPPeer = Resource<"BGPPeer", BGPPeerSpec>;

export const bgpPeerSchema: z.ZodType<BGPPeer> = clusterResource("BGPPeer", spec);
