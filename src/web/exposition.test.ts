// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderExposition } from "./exposition.ts";
import { Histogram } from "./histogram.ts";

describe("Prometheus' text format", () => {
  it("has help, type, and a line for each sample", () => {
    const text = renderExposition([
      {
        name: "margay_routes",
        type: "gauge",
        help: "Routes.",
        samples: [
          { labels: { origin: "agent", family: "4" }, value: 2 },
          { labels: { origin: "bird" }, value: 0.25 },
        ],
      },
      { name: "margay_ready", type: "gauge", help: "Ready.", samples: [] },
    ]);
    assert.equal(
      text,
      [
        "# HELP margay_routes Routes.",
        "# TYPE margay_routes gauge",
        'margay_routes{origin="agent",family="4"} 2',
        'margay_routes{origin="bird"} 0.25',
        "# HELP margay_ready Ready.",
        "# TYPE margay_ready gauge",
        "",
      ].join("\n"),
    );
  });

  it("escapes whatever would end a label or a line", () => {
    const samples = [{ labels: { pool: 'a"} 1\nmargay_ready 1\\' }, value: 1 }];
    const [, , line, ...more] = renderExposition([
      { name: "m", type: "gauge", help: "a\\b\nc", samples },
    ]).split("\n");
    assert.equal(line, 'm{pool="a\\"} 1\\nmargay_ready 1\\\\"} 1');
    assert.deepEqual(more, [""]);
  });

  it("writes numbers that are none as Go reads them", () => {
    const values = [Infinity, -Infinity, NaN, 1e21, 1e-7];
    const samples = values.map((value) => ({ value }));
    const lines = renderExposition([{ name: "m", type: "gauge", help: "", samples }])
      .split("\n")
      .slice(2, -1);
    assert.deepEqual(lines, ["m +Inf", "m -Inf", "m NaN", "m 1e+21", "m 1e-7"]);
  });
});

describe("a histogram", () => {
  it("has in each bucket all that is up to its bound", () => {
    const histogram = new Histogram([0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value);
    const labels = { command: "ADD" };
    assert.deepEqual(histogram.samples(labels), [
      { suffix: "_bucket", labels: { command: "ADD", le: "0.1" }, value: 2 },
      { suffix: "_bucket", labels: { command: "ADD", le: "1" }, value: 3 },
      { suffix: "_bucket", labels: { command: "ADD", le: "+Inf" }, value: 4 },
      { suffix: "_sum", labels, value: 7.65 },
      { suffix: "_count", labels, value: 4 },
    ]);
  });
});
