// SPDX-License-Identifier: Apache-2.0
import { constants } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generatePrivateKey, publicKeyOf } from "../dataplane/wireguard/key-pair.ts";
import { type WireguardPublicKey, isWireguardKey } from "../net/wireguard-key.ts";
import { describeError } from "../system/log.ts";
import { replaceFile } from "../system/replace-file.ts";
import { hasCode } from "../system/error-code.ts";

/** A node's private key: 32 octets in base64, in a file that nobody but its owner may read. It is kept nowhere else. */
export interface WireguardKeyFile {
  /** The public key that belongs to it; a file that is not there is made. Throws where it cannot be used. */
  ensure(): Promise<WireguardPublicKey>;
  /** The 32 octets of the private key that belongs to the public one. Throws where the file has another, or none that can be used; it never tells what is in it. */
  privateKey(publicKey: WireguardPublicKey): Promise<Uint8Array>;
  /** Puts a new key in its place in one step, and gives its public key. */
  replace(): Promise<WireguardPublicKey>;
}

/** Longer than any key, with whatever an editor puts behind it. */
const MAX_BYTES = 128;

export function createWireguardKeyFile(stateDirectory: string): WireguardKeyFile {
  const path = join(stateDirectory, "wireguard.key");
  const replace = async (): Promise<WireguardPublicKey> => {
    const key = generatePrivateKey();
    await writeKey(path, key);
    return publicKeyOf(key);
  };
  return {
    replace,
    async privateKey(publicKey) {
      const key = await readKey(path);
      if (publicKeyOf(key) !== publicKey) throw unusable(path, `it is not the one to "${publicKey}"`);
      return key;
    },
    async ensure() {
      try {
        return publicKeyOf(await readKey(path));
      } catch (error) {
        if (error instanceof Error && hasCode(error.cause, "ENOENT")) return await replace();
        throw error;
      }
    },
  };
}

async function readKey(path: string): Promise<Uint8Array> {
  const file = await openKey(path);
  try {
    const mode = (await file.stat()).mode;
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw unusable(path, "it is no file");
    // S_IRWXG | S_IRWXO (sys/stat.h)
    if ((mode & 0o077) !== 0)
      throw unusable(
        path,
        `its mode is ${(mode & 0o777).toString(8)}, and only its owner may have access (600)`,
      );
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MAX_BYTES) });
    const text = buffer.toString("latin1", 0, bytesRead).trim();
    if (!isWireguardKey(text)) throw unusable(path, "want 32 octets in base64");
    return Uint8Array.from(Buffer.from(text, "base64"));
  } finally {
    await file.close();
  }
}

async function openKey(path: string): Promise<FileHandle> {
  try {
    // Without waiting for whoever would write, were it a pipe.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw unusable(path, describeError(cause), { cause });
  }
}

async function writeKey(path: string, key: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replaceFile(path, `${Buffer.from(key).toString("base64")}\n`);
}

function unusable(path: string, state: string, options?: ErrorOptions): Error {
  return new Error(`Cannot use WireGuard key "${path}": ${state}`, options);
}
