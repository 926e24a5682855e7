// SPDX-License-Identifier: Apache-2.0
// The log: what has happened between two moments, in words. Whoever looks at a node's own things alone gives no more than these.
import type { Item, LogEvent, View } from "./view.ts";

/** What there is to be told of. */
export interface Narrated extends Pick<
  View,
  "machines" | "nodes" | "containers" | "sessions" | "tunnels" | "blocks"
> {
  /** How many objects of each kind a node's agent has put right so far. @default nobody tells */
  readonly repairs?: { readonly node: string; readonly counts: Readonly<Record<string, number>> };
}

export type Line = Pick<LogEvent, "node" | "level" | "text">;

/** Pure: the lines that the second picture has to tell after the first. */
export function narrate(before: Narrated, after: Narrated): readonly Line[] {
  return [
    ...changes(before.machines, after.machines).flatMap(linesOfMachine),
    ...changes(before.nodes, after.nodes).flatMap(linesOfNode),
    ...linesOfRepairs(before.repairs, after.repairs),
    ...changes(before.tunnels, after.tunnels).flatMap(linesOfTunnel),
    ...changes(before.sessions, after.sessions).flatMap(linesOfSession),
    ...changes(before.blocks, after.blocks).flatMap(linesOfBlock),
    ...changes(before.containers, after.containers).flatMap(linesOfContainer),
  ];
}

/** At least one of the two is there. */
interface Change<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

function changes<T extends { readonly id: string }>(
  before: readonly T[],
  after: readonly T[],
): readonly Change<T>[] {
  if (before === after) return [];
  const old = new Map(before.map((item) => [item.id, item]));
  const now = new Set(after.map(({ id }) => id));
  return [
    ...before.filter(({ id }) => !now.has(id)).map((item) => ({ before: item, after: undefined })),
    ...after.map((item) => ({ before: old.get(item.id), after: item })),
  ];
}

function linesOfMachine({ before, after }: Change<Item<"machines">>): readonly Line[] {
  if (before === undefined || after === undefined) return [];
  return after.ports.flatMap((port) => {
    const old = before.ports.find(({ address }) => address === port.address);
    if (old?.isUp === port.isUp || port.isUp === null || (old?.isUp ?? null) === null) return [];
    const what = `underlay: ${port.interface ?? "the link"} (${port.address})`;
    return port.isUp
      ? line(after.id, "info", `${what} is up`)
      : line(after.id, "error", `${what} is down, or has no carrier`);
  });
}

function linesOfNode({ before, after }: Change<Item<"nodes">>): readonly Line[] {
  if (after === undefined || before === undefined || !after.isOwn) return [];
  const { id } = after;
  const lines: Line[] = [];
  const tell = (level: Line["level"], text: string): void => void lines.push(...line(id, level, text));
  if (after.isAnswering === true && before.isAnswering === false) tell("info", "the agent answers");
  if (after.isAnswering === false && before.isAnswering !== false) tell("error", "the agent does not answer");
  if (after.isReady === true && before.isReady === false) tell("info", "ready");
  if (after.isReady === false && before.isReady !== false) tell("error", "not ready");
  if (after.isReady !== null) for (const text of added(before.reasons, after.reasons)) tell("error", text);
  for (const text of added([...before.degraded, ...after.reasons], after.degraded)) tell("warning", text);
  for (const text of added(after.degraded, before.degraded))
    if (after.isReady !== null) tell("info", `no more: ${text}`);
  if (after.routeSource !== before.routeSource && after.routeSource !== null && before.routeSource !== null)
    tell(
      "info",
      `routes to other nodes come from ${after.routeSource === "bird" ? "BIRD" : "the datastore"}`,
    );
  return lines;
}

function linesOfRepairs(before: Narrated["repairs"], after: Narrated["repairs"]): readonly Line[] {
  if (before === undefined || after === undefined) return [];
  const kinds = Object.entries(after.counts).flatMap(([kind, count]) => {
    const more = count - (before.counts[kind] ?? 0);
    return more > 0 ? [`${more} ${kind}`] : [];
  });
  return kinds.length === 0
    ? []
    : line(after.node, "warning", `kernel: put right what was not as it should be: ${kinds.join(", ")}`);
}

function linesOfTunnel({ before, after }: Change<Item<"tunnels">>): readonly Line[] {
  const { node, kind, interface: ifName } = (after ?? before) as Item<"tunnels">;
  const what = `tunnel: the end of ${kind}${ifName === null ? "" : ` (${ifName})`}`;
  if (after === undefined) return line(node, "info", `${what} is gone`);
  if (before === undefined) return line(node, "info", `${what} is there`);
  if (after.isUp === false && before.isUp === true) return line(node, "error", `${what} is down`);
  return after.isUp === true && before.isUp === false ? line(node, "info", `${what} is up`) : [];
}

function linesOfSession({ before, after }: Change<Item<"sessions">>): readonly Line[] {
  const { from, address, with: partner } = (after ?? before) as Item<"sessions">;
  const what = `BGP: the session with ${partner === null ? address : `${partner} (${address})`}`;
  const [was, is] = [before?.state ?? null, after?.state ?? null];
  if (after === undefined) return line(from, "info", `${what} is gone`);
  if (is === "Established" && was !== "Established") return line(from, "info", `${what} stands`);
  if (was !== "Established" || is === "Established") return [];
  const why = after.lastError === null ? "" : `: ${after.lastError}`;
  return line(from, "warning", `${what} has ended (${is ?? "not known"})${why}`);
}

function linesOfBlock({ before, after }: Change<Item<"blocks">>): readonly Line[] {
  const [was, is] = [before?.node ?? null, after?.node ?? null];
  if (was === is) return [];
  const { id } = (after ?? before) as Item<"blocks">;
  return [
    ...(was === null ? [] : line(was, "info", `IPAM: gave up block ${id}`)),
    ...(is === null ? [] : line(is, "info", `IPAM: claimed block ${id}`)),
  ];
}

function linesOfContainer({ before, after }: Change<Item<"containers">>): readonly Line[] {
  const { node, name, interface: ifName, addresses } = (after ?? before) as Item<"containers">;
  const what = `container "${name}" (${[...addresses, ifName].join(", ")})`;
  if (after === undefined) return line(node, "info", `${what} has gone`);
  if (before === undefined) return line(node, "info", `${what} has come`);
  const missing = added(before.missing, after.missing);
  // What is just being made is no fault.
  if (after.isReady !== false || before.isReady !== true || missing.length === 0) return [];
  return line(node, "warning", `${what} is not as it should be: ${missing.join("; ")}`);
}

function added(before: readonly string[], after: readonly string[]): readonly string[] {
  return after.filter((text) => !before.includes(text));
}

function line(node: string, level: Line["level"], text: string): readonly Line[] {
  return [{ node, level, text }];
}
