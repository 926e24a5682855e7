// SPDX-License-Identifier: Apache-2.0
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { succeed } from "./harness.ts";

/** Files in PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"] as const;

/** An authority of its own, which signs by its own key. */
export async function createAuthority(directory: string, name: string): Promise<Certificate> {
  const files = filesOf(directory, name);
  await openssl("req", "-x509", ...KEY, "-subj", `/CN=${name}`, ...outputOf(files));
  return files;
}

/** A certificate for servers at the addresses, and for clients, signed by the authority. */
export async function issueCertificate(
  directory: string,
  { name, addresses, authority }: { name: string; addresses: readonly string[]; authority: Certificate },
): Promise<Certificate> {
  const files = filesOf(directory, name);
  const request = join(directory, `${name}.csr`);
  const extensions = join(directory, `${name}.ext`);
  await writeFile(
    extensions,
    `subjectAltName=${["DNS:etcd.example", ...addresses.map((ip) => `IP:${ip}`)].join(",")}\n`,
  );
  await openssl("req", ...KEY, "-subj", `/CN=${name}`, "-keyout", files.keyFile, "-out", request);
  await openssl(
    ...["x509", "-req", "-in", request, "-CA", authority.certFile, "-CAkey", authority.keyFile],
    ...["-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", files.certFile],
  );
  await chmod(files.keyFile, 0o600);
  return files;
}

function filesOf(directory: string, name: string): Certificate {
  return { certFile: join(directory, `${name}.pem`), keyFile: join(directory, `${name}.key`) };
}

function outputOf({ certFile, keyFile }: Certificate): readonly string[] {
  return ["-keyout", keyFile, "-out", certFile];
}

async function openssl(...args: readonly string[]): Promise<void> {
  await succeed("openssl", args);
}
