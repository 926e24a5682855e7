// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import {
  type BirdInput,
  type BirdSession,
  meshTemplateName,
  quotePassword,
  renderedPasswords,
  sessionProtocolName,
} from "../bird/config/config.ts";
import type { SecretRef } from "../desired/facts.ts";
import type { WantedBird } from "../desired/wanted.ts";
import { describeError } from "../system/log.ts";
import { readSecretFile } from "../system/secret-file.ts";
import { watchTree } from "../system/watch-tree.ts";

/** What BIRD is given in the place of references to secrets. */
export interface WithPasswords extends Pick<BirdInput, "peers"> {
  readonly meshPassword: string | undefined;
  readonly sessions: readonly BirdSession[];
}

/** Passwords of BGP sessions: files `<directory>/<name>/<key>`, as an orchestrator lays secrets out. They are kept nowhere but in BIRD's configuration. */
export interface BirdSecrets extends Disposable {
  /** Reads what is wanted. Sessions whose password cannot be read go on as they are in the running configuration; those that are not in it are left out. */
  resolve(wanted: WantedBird): Promise<WithPasswords>;
  /** What could not be read the last time, in words. */
  readonly troubles: readonly string[];
}

export interface BirdSecretsOptions {
  /** The configuration that BIRD has; `undefined` where it has had none. */
  readonly running: () => Promise<string | undefined>;
  /** Called when a file may have another content. */
  readonly onChange: () => void;
}

/** A password, or that there is none; nothing where sessions with it cannot be. */
type Found = { readonly password: string | undefined } | undefined;

export function createBirdSecrets(directory: string, { running, onChange }: BirdSecretsOptions): BirdSecrets {
  let troubles: readonly string[] = [];
  const watching = watchTree(directory, onChange);
  return {
    get troubles() {
      return troubles;
    },
    async resolve({ peers, meshPassword, sessions }) {
      const found: string[] = [];
      const read = async (
        what: string,
        ref: SecretRef | undefined,
        names: readonly string[],
      ): Promise<Found> => {
        try {
          return { password: ref && (await readPassword(directory, ref)) };
        } catch (error) {
          const before = await passwordBefore(running, names);
          const outcome = before === undefined ? "it is left out" : "it goes on as it is";
          found.push(`bgp: ${what}: no password: ${describeError(error)}; ${outcome}`);
          return before;
        }
      };
      const mesh = await read("the node-to-node mesh", meshPassword, [
        meshTemplateName(4),
        meshTemplateName(6),
      ]);
      const resolved = await Promise.all(
        sessions.map(async (session) => {
          const names = [sessionProtocolName(session.address)];
          const known = await read(`BGPPeer "${session.name}"`, session.password, names);
          return known === undefined ? [] : [{ ...session, ...known }];
        }),
      );
      troubles = [...new Set(found)];
      return {
        peers: mesh === undefined ? [] : peers,
        meshPassword: mesh?.password,
        sessions: resolved.flat(),
      };
    },
    [Symbol.dispose]() {
      watching.close();
    },
  };
}

/** What the first of the protocols that runs has: a file that is lost for a while is no reason to end what works. */
async function passwordBefore(
  running: BirdSecretsOptions["running"],
  names: readonly string[],
): Promise<Found> {
  const passwords = renderedPasswords((await running()) ?? "");
  const name = names.find((name) => passwords.has(name));
  return name === undefined ? undefined : { password: passwords.get(name) };
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
