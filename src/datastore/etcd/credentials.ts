// SPDX-License-Identifier: Apache-2.0
import { readFile } from "node:fs/promises";
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
  { protocol }: URL,
  { caFile, certFile, keyFile }: EtcdCredentials,
): Promise<ChannelCredentials> {
  if (protocol === "http:") return ChannelCredentials.createInsecure();
  const [ca = null, cert = null, key = null] = await Promise.all([
    caFile === undefined ? undefined : readFile(caFile),
    certFile === undefined ? undefined : readFile(certFile),
    keyFile === undefined ? undefined : readSecretFile(keyFile),
  ]);
  return ChannelCredentials.createSsl(ca, key, cert);
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
