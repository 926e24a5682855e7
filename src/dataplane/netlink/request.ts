// SPDX-License-Identifier: Apache-2.0
import type { NetlinkMessage } from "./message.ts";

/** What the kernel is asked to do, before it has a sequence number. A value: nothing happens until it is executed. */
export interface NetlinkRequest {
  /** What is done, as error texts say it after "Cannot": `add route "10.0.0.0/24"`. */
  readonly description: string;
  /** `RTM_*`. */
  readonly type: number;
  /** `NLM_F_*`; that it is a request, and what is acknowledged, is added on sending. */
  readonly flags: number;
  readonly body: Uint8Array;
}

/** A request that is answered with objects. */
export interface Dump<T> {
  readonly request: NetlinkRequest;
  /** The object that one message of the answer describes, or `undefined` where it is not of this kind. */
  decode(message: NetlinkMessage): T | undefined;
}
