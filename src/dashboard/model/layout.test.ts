// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { arcBetween } from "./arcs.ts";
import { container, machine, node } from "./fixtures.ts";
import type { Rect } from "./geometry.ts";
import { type MapLayout, layOut } from "./layout.ts";
import { wire } from "./ports.ts";
import { topologyOf } from "./topology.ts";

const RACK = { id: "rack", name: "rack", cidr: "192.168.0.0/24" };
const BEYOND = { id: "beyond", name: "beyond", cidr: "203.0.113.0/24" };

function lab(hosts: number, containersPerHost: number, aspect = 1.5): MapLayout {
  const names = Array.from({ length: hosts }, (_, index) => `host${index}`);
  const { stations } = topologyOf({
    machines: names.map((name, index) => machine(name, { [`192.168.0.${index + 1}`]: "rack" })),
    nodes: names.map((name) => node(name)),
    containers: names.flatMap((name) =>
      Array.from({ length: containersPerHost }, (_, index) => container(`${name}-${index}`, name)),
    ),
    sessions: [],
    tunnels: [],
  });
  return layOut([RACK], stations, aspect);
}

function routed(aspect: number): MapLayout {
  const { stations } = topologyOf({
    machines: [
      machine("host1", { "192.168.0.101": "rack" }),
      machine("host2", { "192.168.0.102": "rack" }),
      machine("tor", { "192.168.0.1": "rack", "203.0.113.1": "beyond" }, "router"),
      machine("spare", { "192.168.0.2": "rack", "203.0.113.2": "beyond" }, "router"),
      machine("client", { "203.0.113.10": "beyond" }, "outside"),
    ],
    nodes: [node("host1"), node("host2")],
    containers: [container("a", "host1"), container("b", "host2")],
    sessions: [],
    tunnels: [],
  });
  return layOut([RACK, BEYOND], stations, aspect);
}

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function isInside(inner: Rect, outer: Rect): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width + 0.01 &&
    inner.y + inner.height <= outer.y + outer.height + 0.01
  );
}

function check({ stations, containers, ports, width, height }: MapLayout): void {
  const boxes = Array.from(stations.values(), ({ rect }) => rect);
  const map = { x: 0, y: 0, width, height };
  for (const [index, box] of boxes.entries()) {
    assert.ok(isInside(box, map));
    for (const other of boxes.slice(index + 1)) assert.ok(!overlap(box, other));
  }
  for (const { station, rect } of stations.values()) {
    const cells = station.containers.map(({ id }) => containers.get(id) ?? assert.fail(`${id} has no place`));
    for (const [index, cell] of cells.entries()) {
      assert.ok(isInside(cell, rect));
      for (const other of cells.slice(index + 1)) assert.ok(!overlap(cell, other));
    }
  }
  for (const { key, line } of ports.values()) {
    assert.ok(line.length >= 2, `${key} is not plugged in`);
    assert.ok(line.flatMap(({ x, y }) => [x, y]).every(Number.isFinite));
  }
}

describe("the layout of a map", () => {
  for (const [hosts, containersPerHost] of [
    [0, 0],
    [1, 0],
    [1, 1],
    [2, 2],
    [3, 9],
    [7, 31],
    [20, 50],
  ] as const)
    for (const aspect of [0.5, 1.5, 3])
      it(`gives everything a place of its own: ${hosts} hosts, ${containersPerHost} containers each, ${aspect}`, () => {
        check(lab(hosts, containersPerHost, aspect));
      });

  it("draws containers as cards, then as tags, then as squares", () => {
    assert.deepEqual(
      [8, 30, 31].map((count) => lab(1, count).cells.kind),
      ["card", "tag", "square"],
    );
  });

  it("fills the room's shape", () => {
    const { width, height } = lab(12, 20, 3);
    const narrow = lab(12, 20, 0.5);
    assert.ok(width / height > 2);
    assert.ok(narrow.width / narrow.height < 1);
  });

  for (const aspect of [0.5, 1.5])
    it(`puts routers between the segments that they join, ${aspect}`, () => {
      const layout = routed(aspect);
      check(layout);
      const { stations, segments } = layout;
      const tor = stations.get("tor")?.rect;
      assert.ok(tor !== undefined);
      for (const { rails } of segments)
        assert.ok(
          aspect > 1 ? tor.y + tor.height < (rails[0]?.y ?? 0) : tor.x + tor.width < (rails[0]?.x1 ?? 0),
        );
    });

  it("keeps the ends of routers' lines apart", () => {
    const ends = Array.from(
      routed(1.5).ports.values(),
      ({ segment, line }) => `${segment} ${line.at(-1)?.x ?? ""}`,
    );
    assert.equal(new Set(ends).size, ends.length);
  });

  it("hangs what is in no segment from a rail of its own", () => {
    const { stations } = topologyOf({
      machines: [],
      nodes: [node("far", { machine: null })],
      containers: [],
      sessions: [],
      tunnels: [],
    });
    const layout = layOut([RACK], stations, 1.5);
    check(layout);
    assert.deepEqual(
      layout.segments.map(({ name }) => name),
      ["rack", "other networks"],
    );
  });

  it("leads packets from host to host along rails, by the spine to another row", () => {
    const layout = lab(2, 2, 0.5);
    const [from, to] = [layout.ports.get("host0/eth0"), layout.ports.get("host1/eth0")];
    assert.ok(from !== undefined && to !== undefined);
    const way = wire(layout.segments, from, to);
    const [upper, lower] = layout.segments[0]?.rails ?? [];
    assert.ok(upper !== undefined && lower !== undefined);
    assert.deepEqual(way, [
      ...from.line,
      { x: upper.x1, y: upper.y },
      { x: lower.x1, y: lower.y },
      ...to.line.toReversed(),
    ]);
  });
});

describe("lines between stations", () => {
  const box = (x: number, y: number): Rect => ({ x, y, width: 200, height: 100 });

  it("hang below stations of one row, whichever is first", () => {
    const { label, path } = arcBetween(box(0, 0), box(300, 0), 0);
    assert.ok(label.y > 100);
    assert.deepEqual(arcBetween(box(300, 0), box(0, 0), 0), { label, path });
  });

  it("swing out beside stations that are far above each other", () => {
    assert.ok(arcBetween(box(0, 0), box(0, 600), 0).label.x > 200);
  });

  it("run apart where two stations have several", () => {
    for (const other of [box(300, 0), box(0, 160), box(0, 600)]) {
      const labels = [0, 2].map((lane) => arcBetween(box(0, 0), other, lane).label);
      assert.notDeepEqual(labels[0], labels[1]);
    }
  });
});
