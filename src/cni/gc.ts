// SPDX-License-Identifier: Apache-2.0
import { listNetnsIds } from "../dataplane/netlink/netns-id.ts";
import { describeError } from "../system/log.ts";
import { type Attachment, type AttachmentId, describeAttachment } from "./attachment.ts";
import type { CniCollaborators, NodeView } from "./collaborators.ts";
import { withdrawBehind } from "./container.ts";
import { CniError } from "./error.ts";
import { removeForGood } from "./remove.ts";
import type { GcRequest } from "./request.ts";

/** Runs a task that nothing else about the attachment may run beside. */
export type Exclusively = <T>(attachment: Attachment, task: () => Promise<T>) => Promise<T>;

/**
 * Takes away what there is of the network on this node beyond the attachments that are valid (specification section 4, "GC"). One that cannot be taken away keeps none of the others;
 * what went wrong is told at the end.
 */
export async function collectGarbage(
  { network, valid }: GcRequest,
  collaborators: CniCollaborators,
  node: NodeView,
  exclusively: Exclusively,
): Promise<void> {
  const kept = new Set(valid.map(identityOf));
  const stale = (await node.recorded(network)).filter((id) => !kept.has(identityOf(id)));
  const failures: string[] = [];
  const { rtnetlink } = collaborators;
  let paths: Promise<ReadonlyMap<number, string>> | undefined;
  for (const id of stale) {
    const attachment = describeAttachment(id);
    try {
      await exclusively(attachment, async () => {
        // Where the container lives on without it. All namespaces are looked for once.
        await withdrawBehind(rtnetlink, attachment, () => (paths ??= listNetnsIds(rtnetlink)));
        await removeForGood(attachment, collaborators, node);
      });
    } catch (error) {
      failures.push(`"${id.ifName}" of container "${id.containerId}": ${describeError(error)}`);
    }
  }
  if (failures.length > 0)
    throw new CniError("internal", `Cannot take away all that is left of network "${network}"`, {
      details: failures.join("; "),
    });
}

/** No part may hold a slash. */
function identityOf({ containerId, ifName }: AttachmentId): string {
  return `${containerId}/${ifName}`;
}
