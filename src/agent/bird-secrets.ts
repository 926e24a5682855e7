// SPDX-License-Identifier: Apache-2.0
import { watch } from "node:fs";
import { join } from "node:path";
import { type BirdInput, type BirdSession, quotePassword } from "../bird/config/config.ts";
import type { SecretRef } from "../desired/facts.ts";
import type { WantedBird } from "../desired/wanted.ts";
import { describeError } from "../system/log.ts";
import { readSecretFile } from "../system/secret-file.ts";

/** What BIRD is given in the place of references to secrets. */
export interface WithPasswords extends Pick<BirdInput, "peers"> {
  readonly meshPassword: string | undefined;
  readonly sessions: readonly BirdSession[];
}

/** Passwords of BGP sessions: files `<directory>/<name>/<key>`, as an orchestrator lays secrets out. They are kept nowhere else. */
export interface BirdSecrets extends Disposable {
  /** Reads what is wanted. Sessions whose password cannot be read are left out. */
  resolve(wanted: WantedBird): Promise<WithPasswords>;
  /** What could not be read the last time, in words. */
  readonly troubles: readonly string[];
}

/** `onChange` is called when a file may have another content, as far as the directory is there to be watched. */
export function createBirdSecrets(directory: string, onChange: () => void): BirdSecrets {
  let troubles: readonly string[] = [];
  const watching = watchIfThere(directory, onChange);
  return {
    get troubles() {
      return troubles;
    },
    async resolve({ peers, meshPassword, sessions }) {
      const found: string[] = [];
      const read = async (what: string, ref: SecretRef): Promise<string | undefined> => {
        try {
          return await readPassword(directory, ref);
        } catch (error) {
          found.push(`bgp: ${what}: no password: ${describeError(error)}`);
          return undefined;
        }
      };
      const mesh = meshPassword && (await read("the node-to-node mesh", meshPassword));
      const resolved = await Promise.all(
        sessions.map(async (session) => {
          const password = session.password && (await read(`BGPPeer "${session.name}"`, session.password));
          return session.password !== undefined && password === undefined ? [] : [{ ...session, password }];
        }),
      );
      troubles = [...new Set(found)];
      return {
        peers: meshPassword !== undefined && mesh === undefined ? [] : peers,
        meshPassword: mesh,
        sessions: resolved.flat(),
      };
    },
    [Symbol.dispose]() {
      watching?.close();
    },
  };
}

/** Names and keys hold no slash; without its line's end, the file is the password. */
async function readPassword(directory: string, { name, key }: SecretRef): Promise<string> {
  const path = join(directory, name, key);
  const password = (await readSecretFile(path)).toString().replace(/\r?\n$/, "");
  try {
    quotePassword(password);
  } catch (error) {
    throw new Error(`Cannot use "${path}": ${describeError(error)}`, { cause: error });
  }
  return password;
}

function watchIfThere(directory: string, onChange: () => void): { close(): void } | undefined {
  try {
    return watch(directory, { recursive: true, persistent: false }, onChange).on("error", () => undefined);
  } catch {
    // Without passwords there is no directory; what comes later is read with the next change of BGP.
    return undefined;
  }
}
