// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { ChannelCredentials } from "@grpc/grpc-js";
import { readSecretFile } from "../../system/secret-file.ts";

/** Where what proves who is who is read from, again for every new connection: what was renewed is taken up without a restart. */
export interface EtcdCredentials {
  /** Whom to trust as etcd, in PEM. @default those whom Node trusts */
  readonly caFile?: string;
  /** The client's own certificate and private key, in PEM. */
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly user?: string;
  readonly passwordFile?: string;
}

/** For one endpoint; throws the system's error, or one that says what is wrong with a file. */
export async function channelCredentials(
  { protocol, hostname }: URL,
  { caFile, certFile, keyFile }: EtcdCredentials,
): Promise<ChannelCredentials> {
  if (protocol === "http:") return ChannelCredentials.createInsecure();
  const [ca = null, cert = null, key = null] = await Promise.all([
    caFile === undefined ? undefined : readFile(caFile),
    certFile === undefined ? undefined : readFile(certFile),
    keyFile === undefined ? undefined : readSecretFile(keyFile),
  ]);
  return ChannelCredentials.createSsl(ca, key, cert, {
    checkServerIdentity: (_, certificate) => checkServerIdentity(bare(hostname), certificate),
  });
}

/**
 * What to tell a server by TLS whom one wants to talk to: that is no place for an address (RFC 6066, section 3), which grpc-js would put there.
 * Whose certificate it is, is checked by the address all the same.
 */
export function serverNameOverride({ hostname }: URL): string | undefined {
  return isIP(bare(hostname)) === 0 ? undefined : "etcd";
}

/** An address without the brackets that it has in a URL. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** What to say to `Authenticate`; `undefined` where there is no user. */
export async function userCredentials({
  user,
  passwordFile,
}: EtcdCredentials): Promise<{ readonly name: string; readonly password: string } | undefined> {
  if (user === undefined || passwordFile === undefined) return undefined;
  const password = (await readSecretFile(passwordFile)).toString().replace(/\r?\n$/, "");
  return { name: user, password };
}
