// SPDX-License-Identifier: Apache-2.0
// What is used of dagre, typed: its own declarations leave out the extensions of files, which Node's resolution does not find.
import * as dagre from "@dagrejs/dagre";
import type { Rect } from "./geometry.ts";

export interface LayeredGraph {
  /** Lengths in units of the map: between nodes of a rank, and between ranks. */
  setGraph(options: { rankdir: "TB" | "LR"; nodesep: number; ranksep: number }): void;
  setDefaultEdgeLabel(label: () => object): void;
  setNode(id: string, size: { width: number; height: number }): void;
  setEdge(from: string, to: string): void;
  nodes(): readonly string[];
  /** With the middle of its place, once the graph is laid out. */
  node(id: string): Rect;
}

interface Dagre {
  readonly Graph: new () => LayeredGraph;
  readonly layout: (graph: LayeredGraph) => void;
}

const { Graph, layout } = dagre as unknown as Dagre;

export function createLayeredGraph(): LayeredGraph {
  return new Graph();
}

/** Writes places into the nodes. */
export function layOutGraph(graph: LayeredGraph): void {
  layout(graph);
}
