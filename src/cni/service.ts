// SPDX-License-Identifier: Apache-2.0
import { listNetnsIds } from "../dataplane/netlink/netns-id.ts";
import { DatastoreError } from "../datastore/store.ts";
import { Lock } from "../system/lock.ts";
import { describeError } from "../system/log.ts";
import { add } from "./add.ts";
import { type Attachment, describeAttachment } from "./attachment.ts";
import { check } from "./check.ts";
import type { CniCollaborators, NodeView } from "./collaborators.ts";
import { withdrawAt, withdrawBehind } from "./container.ts";
import { CniError } from "./error.ts";
import { type Exclusively, collectGarbage } from "./gc.ts";
import { forget, removeForGood } from "./remove.ts";
import { type CniRequest, type RawCniRequest, parseCniRequest } from "./request.ts";
import { requireService } from "./status.ts";

/** A call that takes longer than this has failed; the plugin itself gives up a little later. */
const CALL_TIMEOUT_MS = 25_000;

/** The agent's side of the plugin. Disposing it refuses further calls and waits for those under way. */
export interface CniService extends AsyncDisposable {
  /**
   * Carries out one call, or throws {@link CniError}; ADD is undone where the signal aborts before it is complete.
   * @returns the result to print; `undefined` where the specification wants none
   */
  handle(raw: RawCniRequest, options: Waiting): Promise<object | undefined>;
  /** Tells the datastore what the journal holds; throws at the first that it does not take. */
  catchUp(options: Waiting): Promise<void>;
}

interface Waiting {
  readonly signal: AbortSignal;
}

export function createCniService(collaborators: CniCollaborators, node: NodeView): CniService {
  const calls = new Lock();
  let isStopping = false;
  // A runtime may not run two calls for one container at once; one that does must not confuse us.
  const exclusively: Exclusively = ({ nodeEnd }, task) => calls.run(nodeEnd, task);
  return {
    async handle(raw, { signal }) {
      const request = parseCniRequest(raw);
      if (isStopping)
        throw new CniError(
          "tryAgainLater",
          `The Margay agent of node "${node.nodeName}" is stopping; try again`,
        );
      const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
      try {
        return await carryOut(request, collaborators, node, exclusively, limit);
      } catch (error) {
        throw asCniError(error);
      }
    },
    async catchUp({ signal }) {
      const { journal } = collaborators;
      for (const attachment of [...journal.entries.values()])
        await exclusively(attachment, async () => {
          // Somebody else may have, in the meantime.
          if (journal.entries.has(attachment.nodeEnd)) await forget(attachment, collaborators, signal);
        });
    },
    async [Symbol.asyncDispose]() {
      isStopping = true;
      await calls.idle();
    },
  };
}

async function carryOut(
  request: CniRequest,
  collaborators: CniCollaborators,
  node: NodeView,
  exclusively: Exclusively,
  signal: AbortSignal,
): Promise<object | undefined> {
  // A container that is gone is gone, whatever is known of the rest.
  if (request.command !== "DEL" && request.command !== "STATUS" && node.notReady !== undefined)
    throw new CniError("tryAgainLater", node.notReady);
  switch (request.command) {
    case "ADD":
      return runFor(request, exclusively, () => add(request, collaborators, node, signal));
    case "DEL":
      return runFor(request, exclusively, async (attachment) => {
        const { netns } = request;
        const { rtnetlink } = collaborators;
        if (netns !== undefined) await withdrawAt(netns, attachment);
        else await withdrawBehind(rtnetlink, attachment, () => listNetnsIds(rtnetlink));
        await removeForGood(attachment, collaborators, node);
        return undefined;
      });
    case "CHECK":
      return runFor(request, exclusively, async (attachment) => {
        await check(request, attachment, collaborators, signal);
        return undefined;
      });
    case "GC":
      await collectGarbage(request, collaborators, node, exclusively);
      return undefined;
    case "STATUS":
      requireService(request, node);
      return undefined;
  }
}

async function runFor<T>(
  { id }: Extract<CniRequest, { readonly id: unknown }>,
  exclusively: Exclusively,
  task: (attachment: Attachment) => Promise<T>,
): Promise<T> {
  const attachment = describeAttachment(id);
  return exclusively(attachment, () => task(attachment));
}

/** Anything that was thrown on the way, as the runtime is told of it. */
function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const message = describeError(error);
  if (error instanceof DatastoreError && error.code === "unavailable") {
    return new CniError("tryAgainLater", message, { cause: error });
  }
  // A call that ran out of time, or that nobody waits for any more.
  const isCut = error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
  return new CniError(isCut ? "tryAgainLater" : "internal", message, { cause: error });
}
