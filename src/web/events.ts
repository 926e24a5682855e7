// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { Answer } from "./sources.ts";

export interface EventSource {
  readonly read: () => Answer<"readiness">;
  /** Resolves once `isMet` holds of what {@link EventSource.read} gives; rejects with the signal's reason. */
  readonly until: (isMet: () => boolean, signal: AbortSignal) => Promise<void>;
}

export interface EventOptions {
  /** Between two signs of life. A connection on which nothing moves is taken for dead. @default 15,000 */
  readonly heartbeatMs?: number;
  /** How many may follow at once. @default 16 */
  readonly most?: number;
}

/** Those who follow the node's readiness as it changes. */
export interface EventStreams {
  /** Begins one, which lasts until its client has gone; `false`, with nothing touched, where there are too many. */
  begin(response: ServerResponse): boolean;
}

/**
 * Server-sent events (html.spec.whatwg.org, section 9.2): `readiness` with all of it, at once and whenever it has changed. A client that does not read misses what
 * has changed back meanwhile, and nothing is kept for it.
 */
export function createEventStreams(
  source: EventSource,
  { heartbeatMs = 15_000, most = 16 }: EventOptions = {},
): EventStreams {
  let count = 0;
  const follow = async (response: ServerResponse, gone: AbortSignal): Promise<void> => {
    const read = (): string => JSON.stringify(source.read());
    for (let told = ""; !gone.aborted;) {
      const now = read();
      const text = now === told ? ": still here\n\n" : `event: readiness\ndata: ${now}\n\n`;
      told = now;
      if (!response.write(text)) await once(response, "drain", { signal: gone });
      const wait = AbortSignal.any([gone, AbortSignal.timeout(heartbeatMs)]);
      await source.until(() => read() !== now, wait).catch(() => undefined);
    }
  };
  return {
    begin(response) {
      if (count >= most) return false;
      count++;
      const gone = new AbortController();
      response.once("close", () => {
        count--;
        gone.abort();
      });
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      follow(response, gone.signal).catch(() => {
        response.destroy();
      });
      return true;
    },
  };
}
