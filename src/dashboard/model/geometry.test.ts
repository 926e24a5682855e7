// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Rect, lengthOf, nearest, pointAlong, polyline } from "./geometry.ts";

describe("the next box in a direction", () => {
  const box = (x: number, y: number): Rect => ({ x, y, width: 20, height: 10 });
  const boxes = new Map([
    ["right", box(100, 0)],
    ["nearer, not straight", box(30, 14)],
    ["left", box(-60, 2)],
    ["down", box(4, 90)],
    ["up", box(-4, -300)],
  ]);
  const next = (way: Parameters<typeof nearest>[2]): string | undefined => nearest(boxes, box(0, 0), way);

  it("is what is straight ahead", () => {
    assert.deepEqual(
      [next("right"), next("left"), next("down"), next("up")],
      ["right", "left", "down", "up"],
    );
  });

  it("is what is aside where nothing is straight ahead", () => {
    boxes.delete("right");
    assert.equal(next("right"), "nearer, not straight");
  });

  it("is none at the edge", () => {
    assert.equal(nearest([["up", box(0, -300)]], box(0, 0), "down"), undefined);
    assert.equal(nearest([["itself", box(0, 0)]], box(0, 0), "right"), undefined);
  });
});

describe("a way along points", () => {
  const points = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 30 },
  ];

  it("is walked at one speed", () => {
    assert.equal(lengthOf(points), 40);
    assert.deepEqual(
      [0, 0.25, 0.5, 1].map((share) => pointAlong(points, share)),
      [
        { x: 0, y: 0 },
        { x: 10, y: 0 },
        { x: 10, y: 10 },
        { x: 10, y: 30 },
      ],
    );
  });

  it("may be a single point, or none", () => {
    assert.deepEqual(pointAlong([{ x: 3, y: 4 }], 0.5), { x: 3, y: 4 });
    assert.deepEqual(pointAlong([], 0.5), { x: 0, y: 0 });
  });

  it("is drawn with a tenth of a pixel", () => {
    assert.equal(
      polyline([
        { x: 1.26, y: 2 },
        { x: 3, y: 4.04 },
      ]),
      "M1.3 2L3 4",
    );
  });
});
