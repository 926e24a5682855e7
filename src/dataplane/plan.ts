// SPDX-License-Identifier: Apache-2.0
import type { NetlinkRequest } from "./netlink/request.ts";

/** The smallest step that turns what is seen at a key into what is wanted there. */
export type Plan<S> =
  | { readonly kind: "done" }
  /** Something else has to come first; its coming marks the key again. */
  | { readonly kind: "blocked"; readonly reason: string }
  | { readonly kind: "change"; readonly request: NetlinkRequest; readonly after: S }
  /** What comes of it is seen by its event. */
  | { readonly kind: "create"; readonly request: NetlinkRequest }
  | { readonly kind: "remove"; readonly request: NetlinkRequest };

export const DONE: Plan<never> = { kind: "done" };
