// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { ipField } from "../model/schema.ts";
import { parseWith, unwrap } from "../model/issue.ts";
import { LabError } from "./error.ts";
import { type Layout, labCommand } from "./layout.ts";
import { requireTopology, setEncapsulation } from "./topology.ts";
import {
  type Encapsulation,
  type RouteSource,
  type Topology,
  containerNameField,
  encapsulationField,
  routeSourceField,
} from "./topology-schema.ts";
import { hasCode } from "../system/error-code.ts";

const container = z.strictObject({
  name: containerNameField,
  host: z.string(),
  /** The host's end of its link. */
  interface: z.string(),
  addresses: z.array(ipField).readonly(),
});

/** A container that the CNI plugin has attached. */
export type AttachedContainer = Readonly<z.output<typeof container>>;

const schema = z.strictObject({
  version: z.literal(1),
  /** Of this lab alone: another one of the same name, made later, has another. */
  id: z.uuid(),
  topology: z.unknown(),
  routeSource: routeSourceField,
  encapsulation: encapsulationField.exactOptional(),
  containers: z.array(container),
});

/** What a lab is, between commands; what runs of it is read from the kernel each time. */
export interface LabState {
  readonly id: string;
  /** The document as it was read. */
  readonly document: unknown;
  /** What the document says, with the encapsulation that was asked for. */
  readonly topology: Topology;
  readonly routeSource: RouteSource;
  /** Where absent, each pool has the one that the document says. */
  readonly encapsulation?: Encapsulation;
  readonly containers: readonly AttachedContainer[];
}

export function createState(document: unknown, topology: Topology, routeSource: RouteSource): LabState {
  return { id: randomUUID(), document, topology, routeSource, containers: [] };
}

/** The state with the encapsulation that is asked for, if one is. */
export function withEncapsulation(state: LabState, encapsulation: Encapsulation | undefined): LabState {
  if (encapsulation === undefined) return state;
  return { ...state, encapsulation, topology: setEncapsulation(state.topology, encapsulation) };
}

/** The lab's state, or `undefined` where there is no such lab. Throws {@link LabError} where it cannot be read. */
export async function readState({ name, stateFile }: Layout): Promise<LabState | undefined> {
  let text: string;
  try {
    text = await readFile(stateFile, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    const { topology: document, encapsulation, ...rest } = parseState(text);
    const state = { ...rest, document, topology: requireTopology(document, "topology") };
    return withEncapsulation(state, encapsulation);
  } catch (cause) {
    throw new LabError(
      "failed",
      `Cannot read state of lab "${name}": "${stateFile}" is damaged; remove the lab with "${labCommand(name, "down")}"`,
      { cause },
    );
  }
}

/** As {@link readState}, but throws {@link LabError} where there is no such lab. */
export async function requireState(layout: Layout): Promise<LabState> {
  const state = await readState(layout);
  if (state !== undefined) return state;
  throw new LabError(
    "absent",
    `Cannot find lab "${layout.name}": it is not up; start it with "${labCommand(layout.name, "up")}"`,
  );
}

/** Replaces the state file in one step: a crash leaves the old one or the new one. */
export async function writeState({ directory, stateFile }: Layout, state: LabState): Promise<void> {
  const { id, document: topology, routeSource, encapsulation, containers } = state;
  const written = { version: 1, id, topology, routeSource, encapsulation, containers };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const next = `${stateFile}.new`;
  await writeFile(next, JSON.stringify(written, undefined, 2));
  await rename(next, stateFile);
}

function parseState(text: string): z.output<typeof schema> {
  return unwrap(parseWith<z.output<typeof schema>>(schema, JSON.parse(text)), "state");
}
