// SPDX-License-Identifier: Apache-2.0
import type { Dataplane } from "../dataplane/dataplane.ts";
import { ETHTOOL_GENL_NAME, TX_CHECKSUM_FEATURES, getFeatures } from "../dataplane/netlink/ethtool.ts";
import type { Genetlink } from "../dataplane/netlink/genetlink.ts";
import { getLink } from "../dataplane/netlink/link.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";
import { findChecksumFault } from "../dataplane/probe/checksum-fault.ts";
import { isAnswered } from "../dataplane/probe/datagram-probe.ts";
import type { Calculation } from "../desired/calculation.ts";
import type { Fact } from "../desired/facts.ts";
import { vxlanKind } from "../desired/path.ts";
import { vxlanDevice } from "../desired/vxlan.ts";
import type { IfName } from "../net/if-name.ts";
import type { Family } from "../net/ip.ts";
import type { Clock } from "../system/clock.ts";
import { type Log, describeError } from "../system/log.ts";
import { type Settler, type Waiting, createSettler } from "./settler.ts";

export interface ChecksumWatchCollaborators {
  readonly calculation: Calculation;
  readonly dataplane: Dataplane;
  readonly rtnetlink: Rtnetlink;
  readonly genetlink: Genetlink;
  readonly learn: (facts: readonly Fact[]) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ChecksumWatchOptions {
  /** Of what is inside VXLAN, and outside. */
  readonly family: Family;
}

/** Nodes that are asked in one round: any of them can tell, as long as it answers. */
const NODES_ASKED = 3;
/** Before each round; nobody answers while the others have not heard of this node's end. After the last, only a change asks again. */
const PAUSES_MS = [0, 500, 2000, 10_000, 60_000];

/**
 * Finds out, once in the life of an agent, whether checksums that are left to the network card come out right inside VXLAN of one family, unless a
 * person has said so. Nothing waits for it.
 */
export function createChecksumWatch(
  collaborators: ChecksumWatchCollaborators,
  options: ChecksumWatchOptions,
): Settler {
  const tunnel = vxlanKind(options.family);
  const { calculation, dataplane, learn, clock, log } = collaborators;
  const settle = async ({ wait }: Waiting): Promise<void> => {
    if (!calculation.isChecksumOffloadUnknown(tunnel)) return;
    await dataplane.programmed(vxlanDevice(options.family), { signal: wait });
    for (const pauseMs of PAUSES_MS) {
      await clock.sleep(pauseMs, { signal: wait });
      const isBroken = await ask(collaborators, options, wait);
      if (isBroken === undefined) continue;
      learn([{ kind: "checksumOffload", tunnel, isBroken }]);
      return;
    }
  };
  return createSettler(
    { clock, log },
    { what: "find out about checksums inside VXLAN", settle, onChange: () => undefined },
  );
}

/** One round; `undefined` where nobody can tell. */
async function ask(
  collaborators: ChecksumWatchCollaborators,
  { family }: ChecksumWatchOptions,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { calculation, log } = collaborators;
  const inside = `inside VXLAN of IPv${family}`;
  try {
    const device = await offloadOf(collaborators, vxlanDevice(family));
    if (device === undefined) return undefined;
    // Switched off by an agent before this one, or by a person: there is nothing to be seen, and it stays.
    if (!device.isOn) return true;
    const ends = calculation.pathsToNodes().filter(({ via }) => via === vxlanKind(family));
    for (const path of ends.slice(0, NODES_ASKED)) {
      const verdict = await findChecksumFault(({ isByCard }) =>
        isAnswered({ ifIndex: device.ifIndex, to: path.address, isByCard }, { signal }),
      );
      if (verdict === "unknown") continue;
      log.info(`Checksums that are left to the network card come out ${verdict} ${inside}`, {
        node: path.node,
      });
      return verdict === "wrong";
    }
  } catch (error) {
    signal.throwIfAborted();
    log.info(`Cannot find out about checksums ${inside}`, { reason: describeError(error) });
  }
  return undefined;
}

async function offloadOf(
  { rtnetlink, genetlink }: ChecksumWatchCollaborators,
  name: IfName,
): Promise<{ readonly ifIndex: number; readonly isOn: boolean } | undefined> {
  const family = await genetlink.family(ETHTOOL_GENL_NAME);
  const [link] = await rtnetlink.list(getLink({ name }));
  const [features] = link === undefined ? [] : await genetlink.list(getFeatures(family, link));
  if (link === undefined || features === undefined) return undefined;
  return { ifIndex: link.index, isOn: TX_CHECKSUM_FEATURES.some((feature) => features.active.has(feature)) };
}
