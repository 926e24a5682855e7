// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { explain } from "../../trace/explain.ts";
import { observationOf } from "../../trace/reference-network.ts";
import { traceToJson } from "../../trace/render.ts";
import { container, machine, node } from "./fixtures.ts";
import { distance } from "./geometry.ts";
import { layOut } from "./layout.ts";
import { type Story, faultPlace, headersAt, movesOf } from "./story.ts";
import { topologyOf } from "./topology.ts";

const SEGMENT = { id: "underlay0", name: "underlay0", cidr: "192.168.0.0/24" };
const CONTAINERS = [
  container("a", "host1", { interface: "calia" }),
  container("b", "host1", { interface: "calib" }),
  container("c", "host2", { interface: "calic" }),
  container("d", "host2", { interface: "calid" }),
];
const LAYOUT = layOut(
  [SEGMENT],
  topologyOf({
    machines: [
      machine("host1", { "192.168.0.101": "underlay0" }),
      machine("host2", { "192.168.0.102": "underlay0" }),
    ],
    nodes: [node("host1"), node("host2")],
    containers: CONTAINERS,
    sessions: [],
    tunnels: [],
  }).stations,
  1.5,
);
const STORY = JSON.parse(JSON.stringify(traceToJson(explain(observationOf())))) as Story;

describe("a traced packet on the map", () => {
  const moves = movesOf(STORY, LAYOUT, CONTAINERS);

  it("is at the station or container of each step", () => {
    assert.deepEqual(
      moves.map(({ place }) => place?.id.replace(/.*cali-/, "")),
      STORY.steps.map(({ station }) => station),
    );
  });

  it("begins each move where the one before ended", () => {
    const ends = moves.map(({ points }) => points.at(-1));
    for (const [index, { points }] of moves.slice(1).entries()) {
      const [from] = points;
      const before = ends[index];
      assert.ok(from !== undefined && before !== undefined);
      if (points.length > 1) assert.equal(distance(from, before), 0, `step ${index + 2}`);
    }
  });

  it("goes from host to host along the rail", () => {
    const rail = LAYOUT.segments[0]?.rails[0]?.y;
    const across = moves.filter(({ points }) => points.some(({ y }) => y === rail));
    assert.equal(across.length, 2);
  });

  it("passes between cells, never over the container beside it", () => {
    const beside = LAYOUT.containers.get("host2/cali-c");
    assert.ok(beside !== undefined);
    const { x, y, width, height } = beside;
    const over = moves
      .flatMap(({ points }) => points)
      .filter((point) => point.x > x && point.x < x + width && point.y > y && point.y < y + height);
    assert.deepEqual(over, []);
  });

  it("is stopped at the interface that the fault is about", () => {
    const fault = {
      direction: "there",
      station: "host2",
      ifName: "eth0",
      cause: "linkDown",
      text: "",
      remedy: "",
    } as const;
    const place = faultPlace({ ...STORY, fault }, LAYOUT, CONTAINERS);
    assert.equal(place?.port?.key, "host2/eth0");
    assert.equal(faultPlace(STORY, LAYOUT, CONTAINERS), undefined);
  });

  it("is nowhere while a station is not on the map", () => {
    const nowhere = movesOf(STORY, layOut([SEGMENT], [], 1.5), []);
    assert.ok(nowhere.every(({ place, points }) => place === undefined && points.length === 0));
  });

  it("is found by its address where containers go by other names", () => {
    const renamed = CONTAINERS.map((item) =>
      item.name === "a" ? { ...item, name: "web-0", addresses: [STORY.source.address] } : item,
    );
    assert.equal(movesOf(STORY, LAYOUT, renamed)[0]?.place?.id, "host1/cali-a");
  });

  it("has the headers that were seen last, and before it was seen those that come", () => {
    const ttl = (index: number): number | undefined =>
      headersAt(STORY.steps, index).find((header) => header.kind === "ipv4")?.ttl;
    const seen = STORY.steps.map(({ fact }) => fact.kind === "seen");
    assert.equal(seen[0], false);
    assert.equal(ttl(0), 64);
    assert.equal(ttl(STORY.steps.findIndex(({ station }) => station === "d")), 62);
    const back = STORY.steps.findIndex(({ direction }) => direction === "back");
    assert.equal(ttl(back), 64);
  });
});
