// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "../system/clock.ts";
import type { Log } from "../system/log.ts";
import { watchTree } from "../system/watch-tree.ts";
import type { ApiHandler } from "../web/api.ts";
import { listenForApi } from "../web/listener.ts";
import type { Tally } from "../web/tally.ts";
import { type TokenCheck, readToken } from "../web/token.ts";
import type { AgentConfig } from "./config.ts";
import { type Settler, createSettler } from "./settler.ts";

export interface ApiListenerCollaborators {
  readonly handler: ApiHandler;
  /** Answers those who have no token too. */
  readonly pages: ApiHandler;
  readonly answers: Tally;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ApiListenerOptions {
  /** Where it is served besides the agent's socket, if anywhere. */
  readonly api: AgentConfig["api"];
  /** Called when what keeps it from being served may have changed. */
  readonly onChange: () => void;
}

/** Serves the API by TCP where it is configured. A port that is taken, or a token that cannot be read, is tried again: nothing else depends on it. A token
 * counts from when it is written. */
export function createApiListener(
  { handler, pages, answers, clock, log }: ApiListenerCollaborators,
  { api, onChange }: ApiListenerOptions,
): Settler {
  const stack = new AsyncDisposableStack();
  let isServed = false;
  let isToken: TokenCheck = () => false;
  const settler = createSettler(
    { clock, log },
    {
      what: "serve the API",
      settle: async () => {
        if (api === undefined) return;
        // A token that was replaced is none at once, whatever comes of the new one.
        isToken = () => false;
        isToken = await readToken(api.tokenFile);
        if (isServed) return;
        const gate = { isToken: (given: string | undefined) => isToken(given) };
        stack.use(await listenForApi({ handler, pages, ...gate, answers, log }, { port: api.port }));
        isServed = true;
        log.info("Serving the API", { port: api.port });
      },
      onChange,
    },
  );
  const watching =
    api &&
    watchTree(api.tokenFile, () => {
      settler.update();
    });
  return {
    update: () => {
      settler.update();
    },
    get trouble() {
      return settler.trouble;
    },
    async [Symbol.asyncDispose]() {
      watching?.close();
      await settler[Symbol.asyncDispose]();
      await stack.disposeAsync();
    },
  };
}
