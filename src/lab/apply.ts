// SPDX-License-Identifier: Apache-2.0
import type { NetlinkRequest } from "../dataplane/netlink/request.ts";
import type { Rtnetlink } from "../dataplane/netlink/rtnetlink.ts";

/** Does all of it, or throws the first `KernelError`; a lab is built from nothing, so each change must succeed. */
export async function applyAll(rtnetlink: Rtnetlink, requests: readonly NetlinkRequest[]): Promise<void> {
  const results = await rtnetlink.execute(requests);
  const error = results.find((result) => result !== undefined);
  if (error !== undefined) throw error;
}
