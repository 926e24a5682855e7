// SPDX-License-Identifier: Apache-2.0
import { type ServiceError, status } from "@grpc/grpc-js";
import { DatastoreError } from "../store.ts";

/**
 * What a failed call says of the member that was asked:
 * - `member`: it cannot be reached, has no leader, or is too slow; another may do better
 * - `token`: it does not know the token (any more)
 * - `request`: every member would answer so
 */
export type Blame = "member" | "token" | "request";

const MEMBER: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.INTERNAL,
  status.CANCELLED,
]);

/** etcd's words for a token from before users and roles were changed (api/v3rpc/rpctypes/error.go, ErrGRPCAuthOldRevision). */
const OLD_TOKEN = "etcdserver: revision of auth store is old";

export function blameOf(error: unknown): Blame {
  if (!isServiceError(error)) return "member";
  if (error.code === status.UNAUTHENTICATED || error.details === OLD_TOKEN) return "token";
  return MEMBER.has(error.code) ? "member" : "request";
}

/** All but lost history is worth another try later: credentials, rights and room are things that people put right. */
export function datastoreErrorOf(error: unknown, action: string, endpoint: URL): DatastoreError {
  if (error instanceof DatastoreError) return error;
  const code = isServiceError(error) && error.code === status.OUT_OF_RANGE ? "compacted" : "unavailable";
  return new DatastoreError(code, `Cannot ${action} in etcd at "${endpoint.origin}": ${reasonOf(error)}`, {
    cause: error,
  });
}

/** What grpc-js wraps a failed connection's own error in. */
const LAST_ERROR = /^No connection established\. Last error: (.*?)\.?(?: Resolution note: .*)?$/s;

function reasonOf(error: unknown): string {
  if (!isServiceError(error)) return error instanceof Error ? error.message : String(error);
  if (error.code === status.DEADLINE_EXCEEDED) return "it does not answer in time";
  return LAST_ERROR.exec(error.details)?.[1] ?? error.details;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "details" in error && "code" in error && typeof error.code === "number";
}
