// SPDX-License-Identifier: Apache-2.0
import type { ServerResponse } from "node:http";

/** A signal that aborts when whoever asked has gone without waiting for the answer. */
export function watchGone(response: ServerResponse): Disposable & { readonly signal: AbortSignal } {
  const gone = new AbortController();
  const leave = (): void => {
    gone.abort(new Error("Whoever asked has gone"));
  };
  response.once("close", leave);
  return {
    signal: gone.signal,
    [Symbol.dispose]() {
      response.off("close", leave);
    },
  };
}
