// SPDX-License-Identifier: Apache-2.0
import { createHash, timingSafeEqual } from "node:crypto";
import { readSecretFile } from "../system/secret-file.ts";

/** `b64token` (RFC 6750 section 2.1), of a length that nobody guesses. */
const TOKEN = /^[A-Za-z0-9._~+/-]{32,512}=*$/;
const CREDENTIALS = /^Bearer +(\S+)$/i;

/** Whether an `Authorization` header has the token. How long it takes to tell does not depend on what is in either. */
export type TokenCheck = (authorization: string | undefined) => boolean;

/** Reads the token from a file that nobody but its owner may touch. It is not kept: what is asked is compared by digest. */
export async function readToken(path: string): Promise<TokenCheck> {
  const token = (await readSecretFile(path, { group: false })).toString().trim();
  if (!TOKEN.test(token))
    throw new Error(`Cannot use "${path}": want a token of 32 to 512 letters, digits and "-._~+/"`);
  return createTokenCheck(token);
}

export function createTokenCheck(token: string): TokenCheck {
  const wanted = digestOf(token);
  return (authorization = "") => {
    const [, given = ""] = CREDENTIALS.exec(authorization) ?? [];
    return timingSafeEqual(digestOf(given), wanted);
  };
}

/** Digests are of one length, whatever the length of the text. */
function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
