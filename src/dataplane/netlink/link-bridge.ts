// SPDX-License-Identifier: Apache-2.0
import { type NewLink, createLink } from "./link-message.ts";
import type { NetlinkRequest } from "./request.ts";

/** Makes a bridge without ports; `EEXIST` where the name is taken. */
export function createBridge(bridge: NewLink): NetlinkRequest {
  return createLink("bridge", bridge);
}
