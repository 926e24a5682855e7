// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import {
  type Change,
  DatastoreError,
  type DatastoreErrorCode,
  type Store,
  type WatchOptions,
} from "./store.ts";

export type StoreOperation = "get" | "list" | "put" | "delete";
/** `ended`: a watch that ended without saying why; `other`: what is no error of the store's. */
export type StoreFailure = DatastoreErrorCode | "ended" | "other";

export interface StoreMeter {
  /** A request has its answer, or has failed. One that was given up by who made it is not told of. */
  noteRequest(
    operation: StoreOperation,
    how: { readonly seconds: number; readonly error?: StoreFailure },
  ): void;
  /** A watch has ended that nobody has ended; whoever watches begins another. */
  noteInterruption(error: StoreFailure): void;
}

/** The store, telling of what is asked of it. Disposing it disposes the store. */
export function measureStore(
  store: Store,
  { clock, meter }: { readonly clock: Clock; readonly meter: StoreMeter },
): Store {
  const measure = async <T>(
    operation: StoreOperation,
    ask: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const start = clock.elapsedMs();
    const seconds = (): number => (clock.elapsedMs() - start) / 1000;
    try {
      const answer = await ask();
      meter.noteRequest(operation, { seconds: seconds() });
      return answer;
    } catch (error) {
      if (signal?.aborted !== true)
        meter.noteRequest(operation, { seconds: seconds(), error: failureOf(error) });
      throw error;
    }
  };
  return {
    get: (key, options) => measure("get", () => store.get(key, options), options?.signal),
    list: (prefix, options) => measure("list", () => store.list(prefix, options), options?.signal),
    put: (key, value, options) => measure("put", () => store.put(key, value, options), options?.signal),
    delete: (key, options) => measure("delete", () => store.delete(key, options), options?.signal),
    watch: (prefix, options) => watch(store, prefix, options, meter),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

async function* watch(
  store: Store,
  prefix: string,
  options: WatchOptions,
  meter: StoreMeter,
): AsyncGenerator<readonly Change[]> {
  let failure: StoreFailure = "ended";
  let isOver = false;
  try {
    yield* store.watch(prefix, options);
    isOver = true;
  } catch (error) {
    isOver = true;
    failure = failureOf(error);
    throw error;
  } finally {
    // Whoever stops listening ends it too.
    if (isOver && !options.signal.aborted) meter.noteInterruption(failure);
  }
}

function failureOf(error: unknown): StoreFailure {
  return error instanceof DatastoreError ? error.code : "other";
}
