// SPDX-License-Identifier: Apache-2.0
import type { NodeView } from "../cni/collaborators.ts";
import { createEndpoints } from "../cni/endpoint.ts";
import { type CniService, createCniService } from "../cni/service.ts";
import { procSys } from "../dataplane/sysctl.ts";
import type { Allocator } from "../ipam/allocator.ts";
import type { NodeName } from "../model/name.ts";
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import type { AgentParts } from "./parts.ts";
import { createSettler } from "./settler.ts";

export interface AttachmentsCollaborators {
  readonly parts: AgentParts;
  readonly allocator: Allocator;
  readonly node: NodeView;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AttachmentsOptions {
  readonly nodeName: NodeName;
  /** Called when addresses were taken or given back. */
  readonly onAddresses: () => void;
}

/** The attachments of this node: what runtimes ask for, and what the datastore is still to be told of. */
export interface Attachments extends AsyncDisposable {
  readonly cni: CniService;
  /** Called when something may be in the journal; what the datastore does not take is tried again. */
  update(): void;
}

export function createAttachments(
  { parts, allocator, node, clock, log }: AttachmentsCollaborators,
  { nodeName, onAddresses }: AttachmentsOptions,
): Attachments {
  const { store, dataplane, rtnetlink, linkRemover, journal } = parts;
  const cni = createCniService(
    {
      allocator,
      endpoints: createEndpoints(store, nodeName),
      dataplane,
      rtnetlink,
      linkRemover,
      sysctls: procSys,
      journal,
      onAddresses,
      log,
    },
    node,
  );
  const catchingUp = createSettler(
    { clock, log },
    {
      what: "tell the datastore of containers that are gone",
      settle: ({ signal }) => cni.catchUp({ signal }),
      onChange: () => undefined,
    },
  );
  return {
    cni,
    update() {
      if (journal.entries.size > 0) catchingUp.update();
    },
    async [Symbol.asyncDispose]() {
      await catchingUp[Symbol.asyncDispose]();
    },
  };
}
