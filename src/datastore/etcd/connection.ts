// SPDX-License-Identifier: Apache-2.0
import { Metadata, type MethodDefinition, type ServiceError } from "@grpc/grpc-js";
import { DatastoreError } from "../store.ts";
import { type EtcdCredentials, userCredentials } from "./credentials.ts";
import { blameOf, datastoreErrorOf } from "./failure.ts";
import { Member } from "./member.ts";
import { METHODS, type WatchRequest, type WatchResponse } from "./methods.ts";

export interface EtcdOptions extends EtcdCredentials {
  /** `http://` or `https://` with host and port, of members of one cluster; at least one. */
  readonly endpoints: readonly string[];
}

export interface CallOptions {
  /** For messages: what is being done, such as `get "/a"`. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
  /** Called before another member is asked what one may have done already. */
  readonly onRepeat?: () => void;
}

/** How long one member may take to answer, and a watch to begin. */
const ANSWER_MS = 4000;

/**
 * Calls to an etcd cluster. All go to one member until it fails; then another is asked, once each. A member that lives and has lost the others is
 * left too: it answers no read that must be the latest, and ends watches (`hasleader`).
 */
export class EtcdConnection implements AsyncDisposable {
  readonly #members: readonly Member[];
  readonly #credentials: EtcdCredentials;
  /** How to end what is under way. */
  readonly #cancels = new Set<() => void>();
  #current = 0;
  #token: Promise<string | undefined> | undefined;
  #closed = false;

  constructor({ endpoints, ...credentials }: EtcdOptions) {
    this.#credentials = credentials;
    this.#members = endpoints.map((endpoint) => new Member(endpoint, credentials));
  }

  /** Throws {@link DatastoreError}, or the signal's reason. */
  async call<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    options: CallOptions,
  ): Promise<Response> {
    // One more than there are members: the last connection may have died of a restart that is over.
    for (let rest = this.#members.length; ; rest--) {
      const member = this.#member(options.action);
      try {
        return await this.#try(member, method, request, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        const blame = this.#leave(member, error);
        if (blame === "request" || rest === 0) throw datastoreErrorOf(error, options.action, member.endpoint);
        options.onRepeat?.();
      }
    }
  }

  /** The answers to a watch; ends with an error, or when the signal aborts. */
  async *watch(
    request: WatchRequest,
    { action, signal }: CallOptions & { readonly signal: AbortSignal },
  ): AsyncGenerator<WatchResponse> {
    const member = this.#member(action);
    try {
      yield* this.#stream(member, request, signal);
      throw new DatastoreError("unavailable", `Cannot ${action}: etcd has ended the watch`);
    } catch (error) {
      if (signal.aborted) return;
      this.#checkOpen(action);
      this.#leave(member, error);
      throw datastoreErrorOf(error, action, member.endpoint);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#cancels) cancel();
    for (const member of this.#members) member.retire();
    return Promise.resolve();
  }

  #member(action: string): Member {
    this.#checkOpen(action);
    const member = this.#members[this.#current % this.#members.length];
    if (member === undefined) throw new RangeError("Cannot use etcd: there is no endpoint");
    return member;
  }

  #checkOpen(action: string): void {
    if (this.#closed)
      throw new DatastoreError("closed", `Cannot ${action}: the connection to etcd is closed`);
  }

  /** Calls that fail together leave their member once. */
  #leave(member: Member, error: unknown): ReturnType<typeof blameOf> {
    const blame = blameOf(error);
    if (blame === "token") this.#token = undefined;
    if (blame === "member" && member === this.#members[this.#current % this.#members.length]) {
      this.#current++;
      member.retire();
    }
    return blame;
  }

  async #try<Request, Response>(
    member: Member,
    method: MethodDefinition<Request, Response>,
    request: Request,
    { action, signal }: CallOptions,
  ): Promise<Response> {
    const metadata = await this.#metadata(member);
    using lease = await member.lease();
    signal?.throwIfAborted();
    this.#checkOpen(action);
    return await this.#unary(lease.client, method, request, metadata, signal);
  }

  async #unary<Request, Response>(
    client: Awaited<ReturnType<Member["lease"]>>["client"],
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
    request: Request,
    metadata: Metadata,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const done = (error: ServiceError | null, response?: Response): void => {
      if (response === undefined) reject(error ?? new Error("etcd's answer is empty"));
      else resolve(response);
    };
    const options = { deadline: Date.now() + ANSWER_MS };
    const call = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      done,
    );
    using _ending = this.#endWith(signal, () => {
      call.cancel();
    });
    return await promise;
  }

  async *#stream(member: Member, request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchResponse> {
    const metadata = await this.#metadata(member);
    metadata.set("hasleader", "true");
    using lease = await member.lease();
    const { path, requestSerialize, responseDeserialize } = METHODS.watch;
    const call = lease.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    // Whoever reads hears of errors; after that there is nobody.
    call.on("error", () => undefined);
    const cancel = (): void => {
      call.cancel();
    };
    using _ending = this.#endWith(signal, cancel);
    const late = setTimeout(cancel, ANSWER_MS);
    try {
      call.write(request);
      for await (const response of call as AsyncIterable<WatchResponse>) {
        clearTimeout(late);
        yield response;
      }
    } finally {
      clearTimeout(late);
      cancel();
    }
  }

  /** Cancels when the signal aborts, or this is closed, until it is disposed. */
  #endWith(signal: AbortSignal | undefined, cancel: () => void): Disposable {
    if (signal?.aborted === true || this.#closed) cancel();
    this.#cancels.add(cancel);
    signal?.addEventListener("abort", cancel);
    return {
      [Symbol.dispose]: () => {
        this.#cancels.delete(cancel);
        signal?.removeEventListener("abort", cancel);
      },
    };
  }

  async #metadata(member: Member): Promise<Metadata> {
    const metadata = new Metadata();
    this.#token ??= this.#authenticate(member);
    const pending = this.#token;
    try {
      const token = await pending;
      if (token !== undefined) metadata.set("token", token);
    } catch (error) {
      if (this.#token === pending) this.#token = undefined;
      throw error;
    }
    return metadata;
  }

  async #authenticate(member: Member): Promise<string | undefined> {
    const user = await userCredentials(this.#credentials);
    if (user === undefined) return undefined;
    using lease = await member.lease();
    return (await this.#unary(lease.client, METHODS.authenticate, user, new Metadata(), undefined)).token;
  }
}
