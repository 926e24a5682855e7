// SPDX-License-Identifier: Apache-2.0
// What the dashboard asks for, as the description of the API has it.
import { z } from "zod";
import { TRACE_PATH, VIEW_EVENTS_PATH, VIEW_PATH, detailPath } from "./view/paths.ts";
import { NODE_DETAILS } from "./view/source.ts";
import { changeSchema, logEventSchema, viewSchema } from "./view/view.ts";

/** The operations of each path. */
export function viewPaths(faults: object): Readonly<Record<string, object>> {
  return {
    [VIEW_PATH]: {
      get: {
        operationId: "view",
        summary: "All that the dashboard shows",
        responses: { 200: answer("The view", json("view")), 503: ERROR, ...faults },
      },
    },
    [VIEW_EVENTS_PATH]: {
      get: {
        operationId: "viewEvents",
        summary:
          "Server-sent events: view once, then change with what differs, at most twice a second, and event for each line of the log",
        responses: {
          200: answer("A stream without an end", { "text/event-stream": { schema: { type: "string" } } }),
          503: ERROR,
          ...faults,
        },
      },
    },
    ...Object.fromEntries(
      NODE_DETAILS.map((detail) => [
        detailPath("{node}", detail),
        {
          get: {
            operationId: `node${detail.charAt(0).toUpperCase()}${detail.slice(1)}`,
            summary: `As /api/v1/${detail}, of a node that is known here`,
            parameters: [{ name: "node", in: "path", required: true, schema: { type: "string" } }],
            responses: { 200: answer(`Its ${detail}`, json(detail)), 404: ERROR, 503: ERROR, ...faults },
          },
        },
      ]),
    ),
    [TRACE_PATH]: { get: traceOperation(faults) },
  };
}

/** Of what these paths answer and tell. */
export function viewSchemas(): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries({ view: viewSchema, change: changeSchema, event: logEventSchema }).map(
      ([name, schema]) => {
        const { $schema, ...rest } = z.toJSONSchema(schema);
        return [name, rest];
      },
    ),
  );
}

function traceOperation(faults: object): object {
  const parameter = (name: string, schema: object, required = false): object => ({
    name,
    in: "query",
    required,
    schema,
  });
  return {
    operationId: "trace",
    summary: "Sends one probe, and tells what the network did with it, as margay trace --json does",
    parameters: [
      parameter("source", { type: "string" }, true),
      parameter("destination", { type: "string" }, true),
      parameter("proto", { enum: ["icmp", "tcp", "udp"], default: "icmp" }),
      parameter("port", { type: "integer", minimum: 1, maximum: 65_535 }),
    ],
    responses: {
      200: answer("The trace, also of a probe that was lost", {
        "application/json": { schema: { type: "object" } },
      }),
      404: ERROR,
      503: ERROR,
      ...faults,
    },
  };
}

function answer(description: string, content: object): object {
  return { description, content };
}

function json(schema: string): object {
  return { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } };
}

const ERROR = answer("Why not", json("error"));
