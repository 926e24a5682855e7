// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";

const answer = z.union([z.strictObject({ publicKey: z.string() }), z.strictObject({ error: z.string() })]);

/**
 * Asks the agent on the socket for another WireGuard key of its node; gives the public one once the others can know it. Throws what the agent says
 * where that cannot be, and the system's error, such as `ENOENT`, where there is none.
 */
export async function rotateKeys(
  socketPath: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<string> {
  const rotation = request({ socketPath, path: "/wireguard/rotate", method: "POST", signal, agent: false });
  rotation.end();
  const [response] = (await once(rotation, "response")) as [IncomingMessage];
  const said = answer.parse(JSON.parse(await text(response)));
  if ("error" in said) throw new Error(said.error);
  return said.publicKey;
}
