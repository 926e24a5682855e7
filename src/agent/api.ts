// SPDX-License-Identifier: Apache-2.0
import { type ApiHandler, createApiHandler } from "../web/api.ts";
import { jsonReply } from "../web/reply.ts";
import { createDashboard } from "../web/view/handler.ts";
import { createPages } from "../web/view/pages.ts";
import { type ApiSourcesOptions, createApiSources } from "./api-sources.ts";
import { ViewSource } from "./dashboard/view-source.ts";
import type { AgentCollaborators } from "./parts.ts";

/** All that the agent tells by HTTP; disposing it ends what has no end. */
export interface AgentApi extends AsyncDisposable {
  /** For those who may ask. */
  readonly handler: ApiHandler;
  /** For everybody: the dashboard's page, in which there is nothing of the node. */
  readonly pages: ApiHandler;
}

export interface AgentApiOptions extends ApiSourcesOptions, Pick<AgentCollaborators, "log" | "trace"> {
  readonly nodeName: string;
}

export function createAgentApi(options: AgentApiOptions): AgentApi {
  const { nodeName, conditions, clock, log, meters, state, trace } = options;
  const { answers } = meters;
  const sources = createApiSources(options);
  const api = createApiHandler(sources, answers);
  const views = new ViewSource({ parts: options, state, conditions, clock, log });
  const dashboard = createDashboard({
    sources: {
      open: () => views.open(),
      detail: (node, detail) =>
        Promise.resolve(node === nodeName ? jsonReply(200, sources[detail]()) : undefined),
      trace,
    },
    answers,
    clock,
    log,
  });
  return {
    handler: (request, response) => api(request, response) || dashboard.handle(request, response),
    pages: createPages({ answers }),
    async [Symbol.asyncDispose]() {
      await dashboard[Symbol.asyncDispose]();
      await views[Symbol.asyncDispose]();
    },
  };
}
