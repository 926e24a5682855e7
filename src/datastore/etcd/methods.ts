// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from "node:url";
import type { MethodDefinition } from "@grpc/grpc-js";
import { type ServiceDefinition, loadSync } from "@grpc/proto-loader";

// The messages of etcd.proto. Revisions are below 2^53: at a million writes a second, that lasts for 285 years.

export interface ResponseHeader {
  /** Rounded to what a number holds: good for telling clusters apart. */
  readonly cluster_id: number;
  readonly revision: number;
}

export interface KeyValue {
  readonly key: Buffer;
  readonly mod_revision: number;
  readonly value: Buffer;
}

export interface KeyRange {
  readonly key: Buffer;
  /** The first key beyond the range; a zero byte alone stands for no end. */
  readonly range_end?: Buffer;
}

export interface RangeRequest extends KeyRange {
  readonly limit?: number;
  readonly revision?: number;
  readonly count_only?: boolean;
}

export interface RangeResponse {
  readonly header: ResponseHeader;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

export type RequestOp =
  | { readonly request_range: RangeRequest }
  | { readonly request_put: { readonly key: Buffer; readonly value: Buffer } }
  | { readonly request_delete_range: { readonly key: Buffer } };

export type Compare = { readonly key: Buffer } & (
  | { readonly result: "GREATER"; readonly target: "VERSION"; readonly version: number }
  | { readonly result: "EQUAL"; readonly target: "VERSION"; readonly version: number }
  | { readonly result: "EQUAL"; readonly target: "MOD"; readonly mod_revision: number }
);

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: ResponseHeader;
  readonly succeeded: boolean;
  readonly responses: readonly { readonly response_range?: RangeResponse }[];
}

export interface WatchRequest {
  readonly create_request: KeyRange & { readonly start_revision: number };
}

export interface WatchResponse {
  readonly header: ResponseHeader;
  readonly created: boolean;
  readonly canceled: boolean;
  /** The oldest revision that is known still, where that is the reason; else 0. */
  readonly compact_revision: number;
  readonly cancel_reason: string;
  readonly events: readonly { readonly type: "PUT" | "DELETE"; readonly kv: KeyValue }[];
}

const DESCRIPTION = loadSync(fileURLToPath(new URL("etcd.proto", import.meta.url)), {
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

export const METHODS = {
  range: method<RangeRequest, RangeResponse>("KV", "Range"),
  txn: method<TxnRequest, TxnResponse>("KV", "Txn"),
  compact: method<{ readonly revision: number }, object>("KV", "Compact"),
  watch: method<WatchRequest, WatchResponse>("Watch", "Watch"),
  authenticate: method<{ readonly name: string; readonly password: string }, { readonly token: string }>(
    "Auth",
    "Authenticate",
  ),
};

function method<Request, Response>(service: string, name: string): MethodDefinition<Request, Response> {
  // What the loader makes is typed by no more than the name of the file.
  const definition = DESCRIPTION[`etcdserverpb.${service}`] as ServiceDefinition;
  return definition[name] as unknown as MethodDefinition<Request, Response>;
}
