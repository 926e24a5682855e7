// SPDX-License-Identifier: Apache-2.0
import { DatastoreError, type Store } from "../datastore/store.ts";

/** How often each method of a store was called. */
export interface CallCounts {
  get: number;
  list: number;
  write: number;
}

/** A store that counts what is asked of it. */
export function countingStore(store: Store): { readonly store: Store; readonly calls: CallCounts } {
  const calls: CallCounts = { get: 0, list: 0, write: 0 };
  const counted = <Arguments extends unknown[], Result>(
    name: keyof CallCounts,
    method: (...args: Arguments) => Result,
  ) => {
    return (...args: Arguments): Result => {
      calls[name]++;
      return method(...args);
    };
  };
  return {
    calls,
    store: {
      get: counted("get", store.get.bind(store)),
      list: counted("list", store.list.bind(store)),
      put: counted("write", store.put.bind(store)),
      delete: counted("write", store.delete.bind(store)),
      watch: store.watch.bind(store),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
  };
}

/**
 * A store whose connection breaks at the write with number `at` (the first is 0) and stays broken: `lost` before the write
 * was made, `unanswered` after it. What is underneath stays whole, as a datastore does when its client dies.
 */
export function breakingStore(store: Store, at: number, how: "lost" | "unanswered"): Store {
  let writes = 0;
  const check = (): void => {
    if (writes > at) throw new DatastoreError("unavailable", "Cannot reach the store: the test cut it off");
  };
  const write = async <Result>(make: () => Promise<Result>): Promise<Result> => {
    check();
    const isLast = writes++ === at;
    if (isLast && how === "lost") check();
    const result = await make();
    if (isLast) check();
    return result;
  };
  const read = <Result>(make: () => Promise<Result>): Promise<Result> => {
    check();
    return make();
  };
  return {
    get: (...args) => read(() => store.get(...args)),
    list: (...args) => read(() => store.list(...args)),
    put: (...args) => write(() => store.put(...args)),
    delete: (...args) => write(() => store.delete(...args)),
    watch: store.watch.bind(store),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
