// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Dataplane } from "../dataplane/dataplane.ts";
import type { VxlanEnd } from "../desired/facts.ts";
import { VXLAN_DEVICE } from "../desired/wanted.ts";
import type { Allocator } from "../ipam/allocator.ts";
import type { Limits } from "../ipam/assignment.ts";
import type { IPPool } from "../model/ip-pool.ts";
import { type Ipv4, parseIpv4 } from "../net/ipv4.ts";
import { type Mac, macFromBytes } from "../net/mac.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { Registration } from "./registration.ts";
import { type Settler, type Waiting, createSettler } from "./settler.ts";

export interface VxlanEndCollaborators {
  readonly allocator: Pick<Allocator, "assign" | "releaseByHandle">;
  readonly registration: Pick<Registration, "recordVxlanEnd">;
  readonly dataplane: Pick<Dataplane, "programmed">;
  readonly clock: Clock;
  readonly log: Log;
}

export interface VxlanEndOptions {
  readonly nodeName: string;
  /** Has the device made, or with `undefined` taken away. */
  readonly learn: (end: VxlanEnd | undefined) => void;
  readonly pools: () => readonly IPPool[];
  readonly limits: () => Limits;
  readonly onChange: () => void;
}

/** How long the other nodes may go on sending through the tunnel after they were told not to. */
const LINGER_MS = 3000;

/**
 * Keeps this node's end of VXLAN tunnels as long as a pool needs one: an address from such a pool, under Calico's handle, and a MAC
 * address. Others find them in the Node, and send to them at once: so the device comes before the record, and goes well after it.
 */
export function createVxlanEnd(collaborators: VxlanEndCollaborators, options: VxlanEndOptions): Settler {
  const { nodeName, learn } = options;
  const { registration, allocator, dataplane, clock } = collaborators;
  const handleId = `vxlan-tunnel-addr-${nodeName}`;
  let hasEnd = false;

  const settle = async ({ signal, wait }: Waiting): Promise<void> => {
    const pools = options.pools().filter(isForVxlanTunnels);
    if (pools.length > 0) {
      const ip = await assign(allocator, { handleId, pools, nodeName, limits: options.limits(), signal });
      const end = { ip, mac: vxlanMac(nodeName) };
      learn(end);
      hasEnd = true;
      await dataplane.programmed(VXLAN_DEVICE, { signal: wait });
      await registration.recordVxlanEnd(end, { signal });
      return;
    }
    await registration.recordVxlanEnd(undefined, { signal });
    if (hasEnd) await clock.sleep(LINGER_MS, { signal: wait });
    learn(undefined);
    hasEnd = false;
    await allocator.releaseByHandle(handleId, { signal });
  };
  return createSettler(collaborators, {
    what: "set up this node's end of VXLAN tunnels",
    settle,
    onChange: options.onChange,
  });
}

function isForVxlanTunnels({ spec }: IPPool): boolean {
  return spec.vxlanMode !== "Never" && !spec.disabled && spec.allowedUses.includes("Tunnel");
}

interface Request {
  readonly handleId: string;
  readonly nodeName: string;
  readonly pools: readonly IPPool[];
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/** Gives the address that the node has already, if it has one. */
async function assign(
  allocator: Pick<Allocator, "assign">,
  { handleId, nodeName, pools, limits, signal }: Request,
): Promise<Ipv4> {
  const attributes = { node: nodeName, type: "vxlanTunnelAddress" };
  const result = await allocator.assign({ handleId, attributes, pools, family: 4, ...limits, signal });
  if (result.kind !== "assigned") throw new Error(result.message);
  return parseIpv4(result.address);
}

/** Calico's: 0x66, then the first five octets of the SHA-1 of the node's name. */
export function vxlanMac(nodeName: string): Mac {
  const digest = createHash("sha1").update(nodeName).digest();
  return macFromBytes(Uint8Array.of(0x66, ...digest.subarray(0, 5)));
}
