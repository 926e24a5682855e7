// SPDX-License-Identifier: Apache-2.0
import type { EchoSocket } from "./echo-socket.ts";

/** What passes on the way to an address. */
export type PathSize =
  | { readonly kind: "passes" }
  /** The largest packet that passes is this long. */
  | { readonly kind: "tooSmall"; readonly found: number }
  /** Not even the smallest packet comes back. */
  | { readonly kind: "unreachable"; readonly reason: string };

/** Every device forwards packets of this length whole (RFC 791 section 3.2). */
const LEAST_BYTES = 68;
/** A network that loses one packet in ten loses all of these once in a thousand times. */
const ATTEMPTS = 3;

/**
 * Finds out whether packets of the wanted length pass, and if not, which do: in at most three packets for each of at most eighteen
 * lengths. Rejects with the signal's reason.
 */
export async function findPathSize(
  socket: Pick<EchoSocket, "send">,
  wantedBytes: number,
  { signal }: { readonly signal: AbortSignal },
): Promise<PathSize> {
  const probe = (bytes: number): Promise<string | undefined> => trySize(socket, bytes, signal);
  if ((await probe(wantedBytes)) === undefined) return { kind: "passes" };
  const reason = await probe(LEAST_BYTES);
  if (reason !== undefined) return { kind: "unreachable", reason };
  let [passes, fails] = [LEAST_BYTES, wantedBytes];
  while (fails - passes > 1) {
    const middle = (passes + fails) >>> 1;
    if ((await probe(middle)) === undefined) passes = middle;
    else fails = middle;
  }
  return { kind: "tooSmall", found: passes };
}

/** Why no packet of this length comes back; `undefined` where one does. */
async function trySize(
  socket: Pick<EchoSocket, "send">,
  bytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  let reason = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const fate = await socket.send(bytes, { signal });
    switch (fate.kind) {
      case "answered":
        return undefined;
      case "tooLarge":
        return "a device on the way takes no packet of that length";
      case "lost":
        reason = fate.reason;
    }
  }
  return reason;
}
