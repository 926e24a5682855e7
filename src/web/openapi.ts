// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { ANSWERS } from "./answers.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";
import { EVENTS_PATH, METRICS_PATH, OPENAPI_PATH, RESOURCES, RESOURCE_NAMES } from "./resources.ts";
import type { AnswerName } from "./sources.ts";

/** The description of the API in OpenAPI 3.1, made of the schemas that its answers are checked against. */
export function describeApi(version: string): object {
  return {
    openapi: "3.1.1",
    info: {
      title: "Margay agent",
      version,
      summary: "What one node's agent knows, read-only",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [
      {
        url: "http://127.0.0.1:{port}",
        description: "With a token; on the agent's unix socket, without",
        variables: { port: { default: "9100" } },
      },
    ],
    security: [{ token: [] }],
    paths: {
      ...Object.fromEntries(RESOURCE_NAMES.map((name) => [RESOURCES[name].path, { get: operationOf(name) }])),
      [EVENTS_PATH]: {
        get: {
          operationId: "events",
          summary: "Server-sent events: readiness, now and whenever it has changed",
          responses: {
            200: plain("A stream without an end", { "text/event-stream": { schema: { type: "string" } } }),
            503: plain("As many follow as may", json("error")),
            ...FAULTS,
          },
        },
      },
      [METRICS_PATH]: {
        get: {
          operationId: "metrics",
          summary: "Metrics for Prometheus",
          responses: {
            200: plain("Its text format", { [EXPOSITION_TYPE]: { schema: { type: "string" } } }),
            ...FAULTS,
          },
        },
      },
      [OPENAPI_PATH]: {
        get: {
          operationId: "openapi",
          summary: "This description",
          responses: {
            200: plain("OpenAPI 3.1", { "application/json": { schema: { type: "object" } } }),
            ...FAULTS,
          },
        },
      },
    },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: {
        ...Object.fromEntries(RESOURCE_NAMES.map((name) => [name, schemaOf(name)])),
        error: {
          type: "object",
          properties: { error: { type: "string" } },
          required: ["error"],
          additionalProperties: false,
        },
      },
    },
  };
}

function operationOf(name: AnswerName): object {
  const { summary } = RESOURCES[name];
  const body = json(name);
  const unwell = REPORTS.includes(name) ? { 503: plain("Not all is well", body) } : {};
  return { operationId: name, summary, responses: { 200: plain(summary, body), ...unwell, ...FAULTS } };
}

/** Answers that a status goes with. */
const REPORTS: readonly AnswerName[] = ["health", "readiness"];

function json(schema: string): object {
  return { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function plain(description: string, content: object): object {
  return { description, content };
}

const FAULTS = {
  400: plain("It has a query", json("error")),
  401: plain("By TCP: no token, or another", json("error")),
  403: plain("By TCP: another host or origin", json("error")),
  405: plain("Neither GET nor HEAD", json("error")),
  413: plain("By TCP: it has a body", json("error")),
};

/** JSON Schema 2020-12, which is that of OpenAPI 3.1. */
function schemaOf(name: AnswerName): object {
  const { $schema, ...schema } = z.toJSONSchema(ANSWERS[name]);
  return schema;
}
