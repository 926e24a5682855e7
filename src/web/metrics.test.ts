// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { MetricFamily, Sample } from "./exposition.ts";
import { createMeasurements, pool, session } from "./fixtures.ts";
import { type Measurements, metricFamilies } from "./metrics.ts";

/** The samples of one metric, as they are read by people: labels and value. */
function samplesOf(name: string, more: Partial<Measurements> = {}): readonly (readonly [object, number])[] {
  const family = metricFamilies(createMeasurements(more)).find((one) => one.name === name);
  assert.ok(family !== undefined, name);
  return family.samples.map(({ labels = {}, value }) => [labels, value]);
}

describe("metrics", () => {
  it("are named by Prometheus' conventions", () => {
    const families = metricFamilies(createMeasurements());
    for (const { name, type, help } of families) {
      assert.match(name, /^(margay|process|nodejs)_[a-z]+(_[a-z]+)*$/);
      assert.equal(name.endsWith("_total"), type === "counter", name);
      assert.match(name, type === "histogram" ? /_seconds$/ : /./);
      assert.doesNotMatch(name, /_(ms|milliseconds|kb|count|sum|bucket)$/);
      assert.match(help, /^[A-Z].*\.$/);
    }
    assert.equal(new Set(families.map(({ name }) => name)).size, families.length);
  });

  it("say what the answers of the API say", () => {
    assert.deepEqual(samplesOf("margay_ready"), [[{}, 0]]);
    assert.deepEqual(samplesOf("margay_part_ready"), [
      [{ part: "datastore" }, 1],
      [{ part: "dataplane" }, 0],
    ]);
    assert.deepEqual(samplesOf("margay_dataplane_objects_faulty"), [
      [{ kind: "link" }, 0],
      [{ kind: "route" }, 1],
    ]);
    assert.deepEqual(samplesOf("margay_dataplane_errors_total"), [
      [{ kind: "link" }, 0],
      [{ kind: "route" }, 7],
    ]);
    assert.deepEqual(samplesOf("margay_bgp_sessions").slice(0, 3), [
      [{ state: "Idle" }, 0],
      [{ state: "Connect" }, 0],
      [{ state: "Active" }, 1],
    ]);
    assert.deepEqual(samplesOf("margay_bgp_session_established"), [
      [{ peer: "192.168.0.102" }, 1],
      [{ peer: "192.168.0.103" }, 0],
    ]);
    assert.deepEqual(samplesOf("margay_bgp_routes"), [
      [{ direction: "imported" }, 4],
      [{ direction: "exported" }, 6],
    ]);
    assert.deepEqual(samplesOf("margay_ipam_node_blocks"), [[{}, 1]]);
    assert.deepEqual(samplesOf("margay_ipam_node_addresses"), [
      [{ state: "in_use" }, 4],
      [{ state: "free" }, 58],
      [{ state: "cooling_down" }, 2],
    ]);
    assert.deepEqual(samplesOf("margay_ipam_pool_addresses"), [[{ pool: "default" }, 65_536]]);
    assert.deepEqual(samplesOf("margay_cni_errors_total"), [[{ error: "internal" }, 1]]);
    const counts = samplesOf("margay_cni_call_duration_seconds").filter(([labels]) => !("le" in labels));
    assert.deepEqual(counts, [
      [{ command: "ADD", outcome: "success" }, 0.02],
      [{ command: "ADD", outcome: "success" }, 1],
      [{ command: "DEL", outcome: "error" }, 0.002],
      [{ command: "DEL", outcome: "error" }, 1],
    ]);
  });

  it("have no more samples than are worth keeping, whatever the number of peers and pools", () => {
    const many = Array.from({ length: 1000 }, (_, index) => index);
    const { bgp, ipam } = createMeasurements();
    const crowd = {
      bgp: { ...bgp, sessions: many.map((index) => session({ peer: `fd00::${index.toString(16)}` })) },
      ipam: { ...ipam, pools: many.map((index) => pool({ name: `pool${index}` })) },
    };
    assert.equal(samplesOf("margay_bgp_session_established", crowd).length, 256);
    assert.equal(samplesOf("margay_ipam_pool_blocks", crowd).length, 256);
    const states = samplesOf("margay_bgp_sessions", crowd);
    assert.equal(states.find(([labels]) => "state" in labels && labels.state === "Established")?.[1], 1000);
  });

  it("are described in docs/api.md, each with its type, labels and meaning, and no others", () => {
    const text = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `((?:margay|process|nodejs)_\w+)` *\|(.*)\|$/gm)].map(
      ([, name, rest = ""]) => [name, ...rest.split("|").map((cell) => cell.trim())],
    );
    const families = metricFamilies(createMeasurements());
    assert.deepEqual(rows, families.map(describeFamily));
  });
});

/** A row of the table. */
function describeFamily({ name, type, help, samples }: MetricFamily): readonly string[] {
  const labels = Object.keys(samples[0]?.labels ?? {}).filter((label) => !isBound(label, samples));
  return [name, type, labels.map((label) => `\`${label}\``).join(", "), help];
}

/** The bounds of a histogram's buckets say nothing of the metric. */
function isBound(label: string, samples: readonly Sample[]): boolean {
  return label === "le" && samples.some(({ suffix }) => suffix === "_bucket");
}
