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
import type { PathToNode } from "../desired/paths.ts";
import { VXLAN_DEVICE } from "../desired/wanted.ts";
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

/** Nodes that are asked in one round: any of them can tell, as long as it answers. */
const NODES_ASKED = 3;
/** Before each round; nobody answers while the others have not heard of this node's end. After the last, only a change asks again. */
const PAUSES_MS = [0, 500, 2000, 10_000, 60_000];

/**
 * Finds out, once in the life of an agent, whether checksums that are left to the network card come out right inside VXLAN, unless a person has
 * said so. Nothing waits for it.
 */
export function createChecksumWatch(collaborators: ChecksumWatchCollaborators): Settler {
  const { calculation, dataplane, learn, clock, log } = collaborators;
  const settle = async ({ wait }: Waiting): Promise<void> => {
    if (!calculation.isChecksumOffloadUnknown) return;
    await dataplane.programmed(VXLAN_DEVICE, { signal: wait });
    for (const pauseMs of PAUSES_MS) {
      await clock.sleep(pauseMs, { signal: wait });
      const isBroken = await ask(collaborators, wait);
      if (isBroken === undefined) continue;
      learn([{ kind: "checksumOffload", isBroken }]);
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
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { calculation, log } = collaborators;
  try {
    const device = await offloadOf(collaborators);
    if (device === undefined) return undefined;
    // Switched off by an agent before this one, or by a person: there is nothing to be seen, and it stays.
    if (!device.isOn) return true;
    for (const path of someEnds(calculation.pathsToNodes())) {
      const verdict = await findChecksumFault(({ hasChecksum }) =>
        isAnswered({ ifIndex: device.ifIndex, to: path.address, hasChecksum }, { signal }),
      );
      if (verdict === "unknown") continue;
      log.info(`Checksums that are left to the network card come out ${verdict} inside VXLAN`, {
        node: path.node,
      });
      return verdict === "wrong";
    }
  } catch (error) {
    signal.throwIfAborted();
    log.info("Cannot find out about checksums inside VXLAN", { reason: describeError(error) });
  }
  return undefined;
}

async function offloadOf({
  rtnetlink,
  genetlink,
}: ChecksumWatchCollaborators): Promise<{ readonly ifIndex: number; readonly isOn: boolean } | undefined> {
  const family = await genetlink.family(ETHTOOL_GENL_NAME);
  const [link] = await rtnetlink.list(getLink({ name: VXLAN_DEVICE }));
  const [features] = link === undefined ? [] : await genetlink.list(getFeatures(family, link));
  if (link === undefined || features === undefined) return undefined;
  return { ifIndex: link.index, isOn: TX_CHECKSUM_FEATURES.some((name) => features.active.has(name)) };
}

function someEnds(paths: readonly PathToNode[]): readonly PathToNode[] {
  return paths.filter(({ via }) => via === "vxlan").slice(0, NODES_ASKED);
}
