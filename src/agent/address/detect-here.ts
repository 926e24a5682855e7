// SPDX-License-Identifier: Apache-2.0
import { openRtnetlink } from "../../dataplane/netlink/rtnetlink.ts";
import type { DetectionMethod } from "../../model/address-setting.ts";
import { describeNone, detectAddress } from "./detection.ts";
import { readNetwork } from "./network.ts";

/** What an agent that starts here, with nothing recorded, would take. */
export type DetectedHere =
  | { readonly kind: "found"; readonly address: string; readonly reason: string }
  | { readonly kind: "none"; readonly reason: string };

/** Detects the address of the machine in whose network namespace this runs. Rejects with `KernelError`. */
export async function detectHere(
  method: DetectionMethod,
  { signal }: { readonly signal: AbortSignal },
): Promise<DetectedHere> {
  await using rtnetlink = openRtnetlink();
  const detection = detectAddress(
    method,
    await readNetwork(rtnetlink, { setting: method, family: 4 }, { signal }),
  );
  const { found } = detection;
  if (found === undefined) return { kind: "none", reason: describeNone(method, detection) };
  return { kind: "found", address: found.address, reason: found.reason };
}
