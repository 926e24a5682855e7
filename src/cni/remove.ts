// SPDX-License-Identifier: Apache-2.0
import { DatastoreError } from "../datastore/store.ts";
import { type Attachment, attributesOf } from "./attachment.ts";
import type { CniCollaborators, NodeView } from "./collaborators.ts";

type Datastore = Pick<CniCollaborators, "allocator" | "endpoints" | "journal" | "onAddresses">;

/** How long a datastore may take that is known not to answer, and how long any other. Milliseconds. */
const UNANSWERING_TIMEOUT_MS = 500;
const DATASTORE_TIMEOUT_MS = 5000;

/** Takes an attachment away, as far as it is there. The interface goes first, with its other end in the container: nothing may use an address that is free again. */
export async function remove(
  attachment: Attachment,
  collaborators: CniCollaborators,
  signal?: AbortSignal,
): Promise<void> {
  await collaborators.linkRemover.remove(attachment.nodeEnd);
  await forget(attachment, collaborators, signal);
}

/**
 * As {@link remove}, also while the datastore does not answer: what it could not be told is in the journal then, and the container is gone from this node in any case.
 */
export async function removeForGood(
  attachment: Attachment,
  collaborators: CniCollaborators,
  node: Pick<NodeView, "datastoreTrouble">,
): Promise<void> {
  const { journal, linkRemover } = collaborators;
  await linkRemover.remove(attachment.nodeEnd);
  const ms = node.datastoreTrouble === undefined ? DATASTORE_TIMEOUT_MS : UNANSWERING_TIMEOUT_MS;
  const limit = AbortSignal.timeout(ms);
  try {
    await forget(attachment, collaborators, limit);
  } catch (error) {
    if (!limit.aborted && !(error instanceof DatastoreError && error.code === "unavailable")) throw error;
    await journal.add(attachment);
  }
}

/** Has the datastore forget an attachment whose interface is gone. */
export async function forget(
  attachment: Attachment,
  { allocator, endpoints, journal, onAddresses }: Datastore,
  signal?: AbortSignal,
): Promise<void> {
  const options = signal && { signal };
  const attributes = attributesOf(attachment);
  // Side by side, since both are writes that wait for a disk; what of it fails is done by doing all of it again.
  const [{ released }] = await Promise.all([
    allocator.releaseByHandle(attachment.handleId, { attributes, ...options }),
    endpoints.remove(attachment, options),
  ]);
  await journal.remove(attachment);
  if (released.length > 0) onAddresses();
}
