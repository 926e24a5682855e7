// SPDX-License-Identifier: Apache-2.0
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import type { Output } from "../model/schema.ts";
import { connectStore } from "./client.ts";
import { openEmbeddedStore } from "./embedded.ts";
import type { Store } from "./store.ts";

/** `struct sockaddr_un` (linux/un.h) has 108 bytes for the path and its terminating zero. */
const MAX_SOCKET_PATH_BYTES = 107;

export const absolutePath = z.string().regex(/^\/[^\0]*$/, "want an absolute path");
export const socketPath = absolutePath.refine(
  (path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES,
  `want at most ${MAX_SOCKET_PATH_BYTES} bytes`,
);

const endpoint = z
  .url({
    protocol: /^https?$/,
    error: "want http:// or https:// with host and port",
  })
  .refine((text) => /^https?:\/\/[^/@?#]+:\d+\/?$/.test(text), "want a host and a port, and nothing else");

const etcd = z
  .strictObject({
    kind: z.literal("etcd"),
    endpoints: z.array(endpoint).min(1),
    /** PEM files: whom to trust, and the client's own certificate and key. */
    caFile: absolutePath.exactOptional(),
    certFile: absolutePath.exactOptional(),
    keyFile: absolutePath.exactOptional(),
    user: z.string().min(1).exactOptional(),
    /** Holds the user's password; nobody but owner and group may read it, as with `keyFile`. */
    passwordFile: absolutePath.exactOptional(),
  })
  .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
    path: ["keyFile"],
    error: "certFile and keyFile come together",
  })
  .refine(({ user, passwordFile }) => (user === undefined) === (passwordFile === undefined), {
    path: ["passwordFile"],
    error: "user and passwordFile come together",
  });

export const datastoreConfigSchema = z.discriminatedUnion("kind", [
  /** The store of one machine, in a file; its agent serves it to others through its socket. */
  z.strictObject({ kind: z.literal("embedded"), path: absolutePath }),
  /** The store that an agent on this machine serves. */
  z.strictObject({ kind: z.literal("socket"), path: socketPath }),
  /** An etcd cluster, v3.4 or later. */
  etcd,
]);

/** Where what nodes share is kept. */
export type DatastoreConfig = Output<typeof datastoreConfigSchema>;

/** A store that cannot be reached yet is opened all the same; an embedded one throws `DatastoreError` where its file is unsound. */
export async function openStore(config: DatastoreConfig): Promise<Store> {
  switch (config.kind) {
    case "embedded":
      await mkdir(dirname(config.path), { recursive: true, mode: 0o700 });
      return openEmbeddedStore({ path: config.path });
    case "socket":
      return connectStore({ socketPath: config.path });
    case "etcd": {
      // Its client takes longer to load than most commands take; who has no etcd does without.
      const { openEtcdStore } = await import("./etcd/etcd-store.ts");
      return openEtcdStore(config);
    }
  }
}
