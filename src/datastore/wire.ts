// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { DatastoreError, type DatastoreErrorCode } from "./store.ts";

/** Where the operations of a shared store live: `POST /datastore/<operation>` with a JSON object. */
export const DATASTORE_PATH = "/datastore/";

const revision = z.int().positive();
const entry = z.strictObject({ key: z.string(), value: z.string(), revision });
const change = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("put"), entry }),
  z.strictObject({ kind: z.literal("delete"), key: z.string(), revision }),
]);
const expect = z.union([z.literal("absent"), revision]).optional();

/** What a client asks, by operation. Keys and values are the store's to judge. */
export const requests = {
  get: z.strictObject({ key: z.string() }),
  list: z.strictObject({ prefix: z.string() }),
  put: z.strictObject({ key: z.string(), value: z.string(), expect }),
  delete: z.strictObject({ key: z.string(), expect }),
  watch: z.strictObject({ prefix: z.string(), after: revision }),
};

export type Operation = keyof typeof requests;
export type Request<O extends Operation> = z.infer<(typeof requests)[O]>;

const writeResult = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("written"), revision }),
  z.strictObject({ kind: z.literal("conflict"), current: entry.optional() }),
]);

const failure = z.strictObject({
  error: z.strictObject({
    code: z.enum(["unavailable", "compacted", "corrupt", "closed", "invalid"]),
    message: z.string(),
  }),
});

/** What a server answers, by operation; of a watch, one line of its answer. */
export const answers = {
  get: z.strictObject({ entry: entry.optional() }),
  list: z.strictObject({ entries: z.array(entry), revision }),
  put: writeResult,
  delete: writeResult,
  watch: z.union([z.strictObject({ changes: z.array(change) }), failure]),
  failure,
};

export type Failure = z.infer<typeof failure>;

/** HTTP statuses say the same as the codes, for those who look with other tools. */
export const STATUS: Readonly<Record<DatastoreErrorCode, number>> = {
  invalid: 400,
  compacted: 410,
  corrupt: 500,
  unavailable: 503,
  closed: 503,
};

/** How an error travels. That the server's handle is closed is no fault of the client's handle. */
export function encodeFailure(error: unknown): Failure {
  if (!(error instanceof DatastoreError)) {
    return { error: { code: "unavailable", message: "Cannot serve the datastore: internal error" } };
  }
  const code = error.code === "closed" ? "unavailable" : error.code;
  return { error: { code, message: error.message } };
}

export function decodeFailure({ error }: Failure): DatastoreError {
  return new DatastoreError(error.code, error.message);
}
