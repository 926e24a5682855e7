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

interface WordsBox {
  readonly words: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where the words of lanes and steps stand, by the width that characters of such a font have (0.602 of its size). */
function boxesOf(svg: string): readonly WordsBox[] {
  const sizes: Readonly<Record<string, number>> = { station: 13, number: 10 };
  const texts = svg.matchAll(
    /<text class="(station|number|count|mark|words|fault)" x="(.*?)" y="(.*?)">(.*)<\/text>/g,
  );
  return Array.from(texts, ([, kind = "", x, y, content = ""]) => {
    const words = content.replaceAll(/<\/?tspan.*?>/g, "").replaceAll(/&\w+;/g, "?");
    const size = sizes[kind] ?? 12;
    const wide = words.length * 0.602 * size;
    const left =
      Number(x) - (kind === "station" || kind === "number" ? wide / 2 : kind === "count" ? wide : 0);
    return { words, left, right: left + wide, top: Number(y) - size, bottom: Number(y) + 3 };
  });
}

function isOver(a: WordsBox, b: WordsBox): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

describe("a picture of a trace", () => {
  it("has a line for each station, and an arrow from each capture point to the next", () => {
    const svg = renderSvg(explain(observationOf()));
    assert.equal(count(svg, '<line class="lane"'), 4);
    assert.equal(count(svg, '<line class="there"'), 5);
    assert.equal(count(svg, '<line class="back"'), 5);
    assert.match(
      svg,
      /<tspan class="lead">a<\/tspan> {2}looks up 10\.1\.64\.1: default via 169\.254\.1\.1 dev eth0/,
    );
    assert.equal(count(svg, '<line class="cross"'), 0);
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
    assert.equal(count(svg, '<line class="cross"'), 2);
    assert.match(svg, />Cause: &quot;host1&quot; has no route to 10\.1\.64\.1/);
    assert.match(svg, />Remedy: /);
  });

  it("has no words over others, and none beyond its edges, however long names are", () => {
    const renamed = (name: string): string => `${name}-${"0123456789".repeat(6)}`;
    const { stations, sightings, ...rest } = observationOf();
    const svg = renderSvg(
      explain({
        ...rest,
        source: renamed(rest.source),
        destination: renamed("d"),
        stations: stations.map((station) => ({ ...station, name: renamed(station.name) })),
        sightings: sightings.map((sighting) => ({ ...sighting, station: renamed(sighting.station) })),
      }),
    );
    const [, width = "", height = ""] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
    const boxes = boxesOf(svg);
    assert.ok(boxes.length > 100);
    for (const [index, box] of boxes.entries()) {
      assert.ok(box.left >= 0 && box.right <= Number(width) && box.bottom <= Number(height), box.words);
      for (const other of boxes.slice(index + 1))
        assert.ok(!isOver(box, other), `"${box.words}" and "${other.words}"`);
    }
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
