// SPDX-License-Identifier: Apache-2.0
import type { NetlinkRequest } from "./netlink/request.ts";

/**
 * The smallest step that turns what is seen at a key into what is wanted there. `R` is what asks for it: a request to rtnetlink, for
 * most kinds. Several requests are carried out in their order, and the step has failed where one of them has.
 */
export type Plan<S, R = NetlinkRequest> =
  | { readonly kind: "done" }
  /** Something else has to come first; its coming marks the key again. */
  | { readonly kind: "blocked"; readonly reason: string }
  /** It is not time yet: it is as it should be until then, in milliseconds of the clock, and is looked at again. */
  | { readonly kind: "later"; readonly atMs: number }
  | { readonly kind: "change"; readonly requests: readonly R[]; readonly after: S }
  /** What comes of it is seen by its event. */
  | { readonly kind: "create"; readonly requests: readonly R[] }
  | { readonly kind: "remove"; readonly requests: readonly R[] };

export const DONE: Plan<never, never> = { kind: "done" };
