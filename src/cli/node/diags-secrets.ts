// SPDX-License-Identifier: Apache-2.0
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readAgentConfig } from "../../agent/config.ts";

export interface SecretPlaces {
  /** The agent's configuration, which names the others. */
  readonly config: string;
  /** The agent's, where WireGuard's key is. */
  readonly stateDirectory: string;
}

/** As the agent's configuration has it unless it says otherwise. */
const SECRETS_DIRECTORY = "/etc/margay/secrets";

/**
 * Every secret that this node's files hold, so that it can be left out of whatever else it got into: passwords of BGP sessions, the API's token, what
 * etcd asks for, WireGuard's key. A file that cannot be read tells nothing.
 */
export async function readSecrets({ config, stateDirectory }: SecretPlaces): Promise<readonly string[]> {
  const { secretsDirectory, api, datastore } = await readAgentConfig(config).catch(() => WITHOUT_CONFIG);
  const etcd = datastore?.kind === "etcd" ? [datastore.passwordFile, datastore.keyFile] : [];
  const files = [
    join(stateDirectory, "wireguard.key"),
    api?.tokenFile,
    ...etcd,
    ...(await filesBelow(secretsDirectory)),
  ].filter((path) => path !== undefined);
  return (await Promise.all(files.map(linesOf))).flat();
}

const WITHOUT_CONFIG = { secretsDirectory: SECRETS_DIRECTORY, api: undefined, datastore: undefined };

async function filesBelow(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

/** A key in PEM has many. Lines that frame it are the same in all. */
async function linesOf(path: string): Promise<readonly string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("-----"));
}
