// SPDX-License-Identifier: Apache-2.0
// Another node that takes part in a trace. Whoever it is asked through, the trace goes on without it where it does not answer.
import type { Marker } from "../dataplane/capture/probe-filter.ts";
import type { NftDrop } from "../dataplane/nft/trace-output.ts";
import type { WaitOptions } from "../datastore/store.ts";
import type { Probe, Sighting, Station } from "../trace/observation.ts";

export interface RemotePost {
  /** Resolves once it captures, or once it is clear that it will not. Rejects with the signal's reason alone. */
  begin(marker: Marker, options: WaitOptions): Promise<RemoteCapture | Silence>;
}

export interface RemoteCapture {
  readonly kind: "listens";
  /** Ends the capture, and gives what it saw. Rejects with the signal's reason alone. */
  collect(outcome: Outcome, options: WaitOptions): Promise<RemoteReport | Silence>;
  /**
   * After that: has nftables there trace the probe, or its answer, which is to be sent again and again until this resolves. `undefined` where no rule
   * dropped it, or nobody said. Rejects with the signal's reason alone.
   */
  findDrop(direction: "there" | "back", options: WaitOptions): Promise<NftDrop | undefined>;
}

/** What the asking side knows of its probe at the end. */
export interface Outcome {
  readonly probe: Probe;
  readonly isAnswered: boolean;
}

export interface RemoteReport {
  readonly kind: "report";
  readonly node: string;
  readonly stations: readonly Station[];
  readonly sightings: readonly Sighting[];
  readonly resolutions: readonly Sighting[];
  /** The station of the probe's destination, if that is there. */
  readonly destination?: string;
}

export interface Silence {
  readonly kind: "silent";
  /** A clause: `the agent of "host2" did not answer in 3 s`. */
  readonly reason: string;
}
