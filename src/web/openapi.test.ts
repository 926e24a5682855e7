// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { z } from "zod";
import { createRandom } from "../system/random.ts";
import { describeApi } from "./openapi.ts";
import { EVENTS_PATH, METRICS_PATH, OPENAPI_PATH, RESOURCES, RESOURCE_NAMES } from "./resources.ts";
import { SOURCES } from "./fixtures.ts";
import { TRACE_PATH, VIEW_EVENTS_PATH, VIEW_PATH, detailPath } from "./view/paths.ts";
import { NODE_DETAILS } from "./view/source.ts";
import { randomView } from "./view/view-fixtures.ts";

const description = z
  .object({
    openapi: z.string(),
    info: z.object({ version: z.string() }),
    paths: z.record(
      z.string(),
      z.strictObject({
        get: z.looseObject({ operationId: z.string(), responses: z.record(z.string(), z.unknown()) }),
      }),
    ),
    components: z.object({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) }),
  })
  .parse(JSON.parse(JSON.stringify(describeApi("1.2.3"))));

describe("the description of the API", () => {
  const paths = [
    ...RESOURCE_NAMES.map((name) => RESOURCES[name].path),
    EVENTS_PATH,
    METRICS_PATH,
    OPENAPI_PATH,
    VIEW_PATH,
    VIEW_EVENTS_PATH,
    TRACE_PATH,
    ...NODE_DETAILS.map((detail) => detailPath("{node}", detail)),
  ];

  it("has every path that is served, each with GET alone, and no others", () => {
    assert.deepEqual(Object.keys(description.paths).sort(), paths.toSorted());
    assert.equal(description.info.version, "1.2.3");
    const ids = Object.values(description.paths).map(({ get }) => get.operationId);
    assert.equal(new Set(ids).size, ids.length);
  });

  it("refers to nothing that it does not have", () => {
    const refs = [...JSON.stringify(description).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = ""]) => ref);
    assert.ok(refs.length > RESOURCE_NAMES.length);
    for (const ref of refs) {
      const name = ref.replace("#/components/schemas/", "");
      assert.ok(name in description.components.schemas, ref);
    }
  });

  for (const name of RESOURCE_NAMES)
    it(`has a schema for ${name} by which its answer is right, and a wrong one is not`, () => {
      // Read back, so that it is the published text that judges.
      const schema = z.fromJSONSchema(description.components.schemas[name] ?? assert.fail(name));
      const answer = JSON.parse(JSON.stringify(SOURCES[name]())) as object;
      assert.deepEqual(schema.parse(answer), answer);
      assert.equal(schema.safeParse({ ...answer, frob: 1 }).success, false);
      assert.equal(schema.safeParse({}).success, false);
    });

  it("has a schema for the view by which one is right, and a wrong one is not", () => {
    const schema = z.fromJSONSchema(description.components.schemas["view"] ?? assert.fail());
    const view = JSON.parse(JSON.stringify(randomView(createRandom(1)))) as object;
    assert.deepEqual(schema.parse(view), view);
    assert.equal(schema.safeParse({ ...view, frob: 1 }).success, false);
  });

  it("has no path that docs/api.md leaves out", () => {
    const text = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8");
    for (const path of paths) assert.ok(text.includes(`\`${path}\``), path);
  });
});
