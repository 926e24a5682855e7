// SPDX-License-Identifier: Apache-2.0
import type { WaitOptions } from "./connection.ts";
import type { Session } from "./sessions.ts";

/** What the agent knows of its BIRD. */
export type BirdStatus =
  | { readonly kind: "stopped" }
  /** It ended unasked, and is being started again; `lastError` says what came of that so far. */
  | { readonly kind: "restarting"; readonly lastError: string }
  | {
      readonly kind: "running";
      /** Unknown where someone removed its pid file. */
      readonly pid: number | undefined;
      readonly version: string;
      /** Sorted by name. */
      readonly sessions: readonly Session[];
      /** Whether it was restarted and still waits for its peers; until then it changes no route. */
      readonly recovering: boolean;
    };

/** What came of a configuration. */
export type ConfigureResult =
  | { readonly kind: "started" }
  | { readonly kind: "reconfigured" }
  /** BIRD runs with this very text already. */
  | { readonly kind: "unchanged" }
  /** BIRD does not accept the text, and goes on as before; `message` is its own. */
  | { readonly kind: "refused"; readonly message: string };

export interface StopOptions extends WaitOptions {
  /**
   * How peers see the end: `goodbye` has them drop this node's routes at once, `restart` has them keep the routes for
   * the graceful restart time, as long as it takes to move everyone to another source of routes.
   * @default "goodbye"
   */
  readonly as?: "goodbye" | "restart";
}

/**
 * This node's BIRD. It outlives the agent: disposing this leaves it running, and the next one finds it again.
 * The methods that wait may throw {@link BirdError} or {@link ProcessError}; calling again is then right.
 */
export interface Bird extends AsyncDisposable {
  /** Whether BIRD runs; finds one that an earlier agent left. */
  adopt(options?: WaitOptions): Promise<boolean>;
  /** Has BIRD run with this text: starts it where it does not run, from then on also when it ends unasked. */
  configure(text: string, options?: WaitOptions): Promise<ConfigureResult>;
  /** BIRD's complaint about the text, or `undefined` where it would run with it. */
  check(text: string, options?: WaitOptions): Promise<string | undefined>;
  /**
   * Has BIRD put its routes into the kernel again: the kernel drops routes of an interface that goes down without telling anybody. Does
   * nothing where BIRD does not run.
   */
  refillKernel(options?: WaitOptions): Promise<void>;
  /** As of the last change of a session or of BIRD itself; counts of routes may be older than the routes. */
  status(): BirdStatus;
  /** Asks BIRD, so that the counts are of now. */
  refresh(options?: WaitOptions): Promise<BirdStatus>;
  /** Calls `listener` with every new status until the returned function is called. */
  onChange(listener: (status: BirdStatus) => void): () => void;
  /** Ends BIRD for good, also one that an earlier agent left. Its routes stay in the kernel: see `programKernel`. */
  stop(options?: StopOptions): Promise<void>;
}
