// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explain } from "./explain.ts";
import {
  A,
  CALI_A,
  D,
  STATION_A,
  STATION_HOST1,
  THERE,
  observationOf,
  refuses,
  sightingsOf,
} from "./reference-network.ts";
import { renderSvg } from "./svg.ts";

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe("a picture of a trace", () => {
  it("has a line for each station, and an arrow from each capture point to the next", () => {
    const svg = renderSvg(explain(observationOf()));
    assert.equal(count(svg, '<line class="life"'), 4);
    assert.equal(count(svg, '<line class="there"'), 5);
    assert.equal(count(svg, '<line class="back"'), 5);
    assert.match(svg, />1 {2}a, asked: looks up 10\.1\.64\.1: default via 169\.254\.1\.1 dev eth0/);
    assert.equal(count(svg, '<line class="mark"'), 0);
  });

  it("has a mark where the path broke, with cause and remedy", () => {
    const host1 = {
      ...STATION_HOST1,
      lookups: [refuses({ src: A, dst: D, inIfIndex: CALI_A }, "ENETUNREACH")],
      routes: [],
    };
    const { destination: _, ...observation } = observationOf({
      stations: [STATION_A, host1],
      sightings: sightingsOf(THERE.slice(0, 2)),
    });
    const svg = renderSvg(explain(observation));
    assert.equal(count(svg, '<line class="mark"'), 2);
    assert.match(svg, />Cause: &quot;host1&quot; has no route to 10\.1\.64\.1/);
    assert.match(svg, />Remedy: /);
  });

  it("escapes what it shows", () => {
    const name = `<a & "b">`;
    const stations = observationOf().stations.map((station) =>
      station.name === "d" ? { ...station, name } : station,
    );
    const sightings = observationOf().sightings.map((sighting) =>
      sighting.station === "d" ? { ...sighting, station: name } : sighting,
    );
    const svg = renderSvg(explain(observationOf({ stations, sightings, destination: name })));
    assert.ok(svg.includes("&lt;a &amp; &quot;b&quot;&gt;"));
    assert.ok(!svg.includes(name));
    // Every < begins a tag or ends one.
    assert.equal(count(svg, "<"), count(svg, ">"));
  });
});
