// SPDX-License-Identifier: Apache-2.0
import { checkKey, checkPrefix, checkRevision, checkValue } from "../keys.ts";
import {
  type Change,
  DatastoreError,
  type Entry,
  type Expectation,
  type Listing,
  type Revision,
  type Store,
  type WaitOptions,
  type WatchOptions,
  type WriteOptions,
  type WriteResult,
} from "../store.ts";
import { EtcdConnection, type EtcdOptions } from "./connection.ts";
import {
  type Compare,
  type KeyRange,
  METHODS,
  type RequestOp,
  type ResponseHeader,
  type TxnResponse,
  type WatchResponse,
} from "./methods.ts";
import { entryOf, rangeAfter, rangeOf } from "./range.ts";

/**
 * A store in an etcd cluster (v3.4 and later). Nothing is sent before the first call, and every call stands for itself: after `unavailable` the same
 * handle may be tried again. A write that ends so may have been done; one whose member fails is repeated with another member, and what the
 * first one did counts as done.
 */
export function openEtcdStore(options: EtcdOptions): Store {
  return new EtcdStore(new EtcdConnection(options));
}

/** Of a listing, so that no answer grows with the cluster. */
const PAGE_KEYS = 500;

class EtcdStore implements Store {
  readonly #etcd: EtcdConnection;
  #cluster: number | undefined;
  /** Older revisions are of another cluster that was found here before: one that was restored from a copy, say. */
  #since: Revision = 0;

  constructor(etcd: EtcdConnection) {
    this.#etcd = etcd;
  }

  async get(key: string, { signal }: WaitOptions = {}): Promise<Entry | undefined> {
    checkKey("get", key);
    const request = { key: Buffer.from(key) };
    const { header, kvs } = await this.#etcd.call(METHODS.range, request, { action: `get "${key}"`, signal });
    this.#note(header);
    return kvs.map(entryOf)[0];
  }

  async list(prefix: string, { signal }: WaitOptions = {}): Promise<Listing> {
    checkPrefix("list", prefix);
    for (;;) {
      try {
        return await this.#list(prefix, signal);
      } catch (error) {
        // Compacted between two pages.
        if (!(error instanceof DatastoreError && error.code === "compacted")) throw error;
      }
    }
  }

  async put(key: string, value: string, { expect, signal }: WriteOptions = {}): Promise<WriteResult> {
    checkKey("put", key);
    checkValue("put", key, value);
    const write: Write = {
      key,
      compare: expect === undefined ? [] : [expected(key, expect)],
      operation: { request_put: { key: Buffer.from(key), value: Buffer.from(value) } },
      isDone: (current) => current?.value === value,
    };
    return await this.#write(write, { action: `put "${key}"`, signal });
  }

  async delete(key: string, { expect, signal }: WriteOptions = {}): Promise<WriteResult> {
    checkKey("delete", key);
    if (expect === "absent") return { kind: "conflict", current: await this.get(key, signal && { signal }) };
    const exists = { key: Buffer.from(key), result: "GREATER", target: "VERSION", version: 0 } as const;
    const write: Write = {
      key,
      compare: [expect === undefined ? exists : expected(key, expect)],
      operation: { request_delete_range: { key: Buffer.from(key) } },
      isDone: (current) => current === undefined,
    };
    return await this.#write(write, { action: `delete "${key}"`, signal });
  }

  async *watch(prefix: string, { after, signal }: WatchOptions): AsyncGenerator<readonly Change[]> {
    checkPrefix("watch", prefix);
    checkRevision("watch", prefix, after);
    const action = `watch "${prefix}"`;
    const range = rangeOf(prefix);
    const request = { create_request: { ...range, start_revision: after + 1 } };
    for await (const response of this.#etcd.watch(request, { action, signal })) {
      if (response.created) await this.#checkHistory(range, after, response.header, { action, signal });
      checkGoesOn(response, action);
      const changes = response.events.map(changeOf);
      if (changes.length > 0) yield changes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#etcd[Symbol.asyncDispose]();
  }

  /** All pages are of the first one's revision. */
  async #list(prefix: string, signal: AbortSignal | undefined): Promise<Listing> {
    const entries: Entry[] = [];
    let range: KeyRange = rangeOf(prefix);
    let revision = 0;
    for (;;) {
      const request = { ...range, limit: PAGE_KEYS, revision };
      const page = await this.#etcd.call(METHODS.range, request, { action: `list "${prefix}"`, signal });
      this.#note(page.header);
      if (revision === 0) revision = page.header.revision;
      entries.push(...page.kvs.map(entryOf));
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { entries, revision };
      range = rangeAfter(range, last);
    }
  }

  async #write(
    { key, compare, operation, isDone }: Write,
    { action, signal }: { readonly action: string; readonly signal: AbortSignal | undefined },
  ): Promise<WriteResult> {
    const tries = { repeated: 0 };
    const onRepeat = (): void => {
      tries.repeated++;
    };
    const request = {
      compare,
      success: [operation],
      failure: [{ request_range: { key: Buffer.from(key) } }],
    };
    const answer = await this.#etcd.call(METHODS.txn, request, { action, signal, onRepeat });
    this.#note(answer.header);
    const { revision } = answer.header;
    if (answer.succeeded) return { kind: "written", revision };
    const current = foundIn(answer);
    // The member that failed had done it, and did not come to say so.
    if (tries.repeated > 0 && isDone(current))
      return { kind: "written", revision: current?.revision ?? revision };
    return { kind: "conflict", current };
  }

  /** A member may lag behind the others: whether the store never came to a revision, only a read that all agree on can tell. */
  async #checkHistory(
    range: KeyRange,
    after: Revision,
    header: ResponseHeader,
    options: { readonly action: string; readonly signal: AbortSignal },
  ): Promise<void> {
    this.#note(header);
    let { revision } = header;
    if (revision < after) {
      const answer = await this.#etcd.call(METHODS.range, { ...range, count_only: true }, options);
      revision = answer.header.revision;
    }
    if (after <= revision && after >= this.#since) return;
    throw new DatastoreError("compacted", `Cannot ${options.action}: etcd has no history after ${after}`);
  }

  #note({ cluster_id: cluster, revision }: ResponseHeader): void {
    if (this.#cluster !== undefined && this.#cluster !== cluster) this.#since = revision;
    this.#cluster = cluster;
  }
}

interface Write {
  readonly key: string;
  readonly compare: readonly Compare[];
  readonly operation: RequestOp;
  /** Whether what stands there now is what the write would leave. */
  readonly isDone: (current: Entry | undefined) => boolean;
}

function expected(key: string, expect: Expectation): Compare {
  const condition = { key: Buffer.from(key), result: "EQUAL" } as const;
  return expect === "absent"
    ? { ...condition, target: "VERSION", version: 0 }
    : { ...condition, target: "MOD", mod_revision: expect };
}

function foundIn({ responses }: TxnResponse): Entry | undefined {
  return responses[0]?.response_range?.kvs.map(entryOf)[0];
}

function checkGoesOn(
  { canceled, compact_revision: oldest, cancel_reason: reason }: WatchResponse,
  action: string,
): void {
  if (!canceled) return;
  if (oldest > 0)
    throw new DatastoreError("compacted", `Cannot ${action}: etcd knows its history from ${oldest} on`);
  throw new DatastoreError("unavailable", `Cannot ${action}: etcd has ended the watch: ${reason}`);
}

function changeOf({ type, kv }: WatchResponse["events"][number]): Change {
  if (type === "PUT") return { kind: "put", entry: entryOf(kv) };
  return { kind: "delete", key: kv.key.toString(), revision: kv.mod_revision };
}
