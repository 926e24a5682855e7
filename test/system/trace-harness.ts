// SPDX-License-Identifier: Apache-2.0
// Traces of labs without a process for each, and what is looked at in them.
import assert from "node:assert/strict";
import { type LabOptions, type TracedEnds, endsInLab } from "../../src/cli/trace/places.ts";
import type { Family } from "../../src/net/ip.ts";
import { observe } from "../../src/observe/observe.ts";
import { systemProcesses } from "../../src/system/process.ts";
import { explain } from "../../src/trace/explain.ts";
import { isIp } from "../../src/trace/headers.ts";
import { traceToJson } from "../../src/trace/render.ts";
import type { Fact, Step, Trace } from "../../src/trace/trace.ts";
import { type Lab, MARGAY, type Outcome, agentStatus, eventually, execute, readStore } from "./harness.ts";
import { FELIX_KEY, type Mode, patch, setMode } from "./tunnel-harness.ts";

/** `margay trace` of the lab's containers. */
export function margayTrace(lab: Lab, ...args: readonly string[]): Promise<Outcome> {
  return execute(MARGAY, ["trace", ...args, "--lab", lab.name]);
}

export interface TraceOptions {
  readonly family?: Family;
  readonly proto?: "icmp" | "udp" | "tcp";
  readonly port?: number;
  readonly size?: number;
}

/** What the command shows as JSON, by the same calls. */
export async function traceOf(
  lab: Lab,
  from: string,
  to: string,
  options: TraceOptions = {},
): Promise<Trace> {
  return await traceBetween(endsInLab(await lab.status(), from, to, labOptions(lab, options)), options);
}

function labOptions({ name: lab }: Lab, { family }: TraceOptions): LabOptions {
  return { lab, ...(family !== undefined && { family }) };
}

export async function traceBetween(
  { src, dst, ...ends }: TracedEnds,
  { proto = "icmp", port = 0, size = 84 }: TraceOptions = {},
): Promise<Trace> {
  const probe = { kind: proto, src, dst, packetBytes: size, port };
  const { signal } = new AbortController();
  const observation = await observe({ processes: systemProcesses }, { ...ends, probe }, { signal });
  return JSON.parse(JSON.stringify(traceToJson(explain(observation)))) as Trace;
}

export async function traceThatWorks(
  lab: Lab,
  from: string,
  to: string,
  options?: TraceOptions,
): Promise<Trace> {
  const trace = await traceOf(lab, from, to, options);
  assert.deepEqual(trace.fault, null);
  assert.ok(trace.ok);
  return trace;
}

/** `margay trace` on host1, as on a machine of its own. */
export async function traceOnNode(lab: Lab, ...args: readonly string[]): Promise<Trace> {
  const { netns } = await lab.host("host1");
  const command = [MARGAY, "trace", ...args, "--socket", lab.agentSocket("host1"), "--json"];
  const { code, stdout, stderr } = await execute("ip", ["netns", "exec", netns, ...command]);
  assert.equal(stderr, "");
  const trace = JSON.parse(stdout) as Trace;
  assert.equal(code, trace.ok ? 0 : 1);
  return trace;
}

/** As {@link traceOnNode}, with the other node's agent taking part: one that is kept from running is not waited for, but asked again. */
export async function traceWithOther(lab: Lab, ...args: readonly string[]): Promise<Trace> {
  let trace: Trace | undefined;
  await eventually(async () => {
    trace = await traceOnNode(lab, ...args);
    return trace.aligned !== undefined;
  }, "an answer of the other agent");
  return trace ?? assert.fail();
}

/** What nodes have written for each other, and not removed. */
export async function leftOf(lab: Lab): Promise<readonly string[]> {
  return [...(await readStore(lab, "/margay/")).keys()];
}

type FactOf<K extends Fact["kind"]> = Fact & { readonly kind: K };

function isOf<K extends Fact["kind"]>(fact: Fact, kind: K): fact is FactOf<K> {
  return fact.kind === kind;
}

export function factsOf<K extends Fact["kind"]>(
  { steps }: Trace,
  kind: K,
  { direction, station }: Partial<Pick<Step, "direction" | "station">>,
): readonly FactOf<K>[] {
  return steps
    .filter((step) => direction === undefined || step.direction === direction)
    .filter((step) => station === undefined || step.station === station)
    .flatMap(({ fact }) => (isOf(fact, kind) ? [fact] : []));
}

/** Where the packet was seen, `host1 in calia`, with what each end of a container's link is called. */
export async function pointsOf(
  lab: Lab,
  trace: Trace,
  direction: "there" | "back",
): Promise<readonly string[]> {
  const { containers } = await lab.status();
  const titles = new Map(containers.map((container) => [container.interface, `end-of-${container.name}`]));
  return seenAt(trace, direction).map((point) =>
    point.replace(/\S+$/, (ifName) => titles.get(ifName) ?? ifName),
  );
}

/** Likewise, with the names that the kernel has for interfaces. */
export function seenAt({ steps }: Trace, direction: "there" | "back"): readonly string[] {
  return steps.flatMap(({ station, fact, ...step }) =>
    step.direction === direction && fact.kind === "seen"
      ? [`${station} ${fact.direction} ${fact.ifName}`]
      : [],
  );
}

/** Runs commands at stations, by their names; a lab does. */
type Stations = Pick<Lab, "exec">;

export interface LiveRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev: string;
  /** Absent where it is `boot`. */
  readonly protocol?: string;
}
const PROTOCOLS: Readonly<Record<number, string>> = { 2: "kernel", 3: "boot", 12: "bird", 80: "80" };

/** Every lookup of the trace, and what iproute2 is told of the same packet. */
export async function assertRoutes({ exec }: Stations, trace: Trace): Promise<void> {
  const { steps, probe } = trace;
  let cameBy: string | undefined;
  let count = 0;
  for (const step of steps) {
    const { station, direction, fact } = step;
    if (fact.kind === "seen") cameBy = fact.direction === "in" ? fact.ifName : undefined;
    if (fact.kind !== "route") continue;
    const src = direction === "there" ? probe.src : probe.dst;
    // What a router passes on of a tunnel is from another sender.
    const sender =
      fact.dst === (direction === "there" ? probe.dst : probe.src) ? src : outerSource(steps, step);
    const packet = fact.of === "forwarded" ? ["from", sender, "iif", cameBy ?? assert.fail()] : [];
    const listed = await exec(station, "ip", "-json", "route", "get", "fibmatch", fact.dst, ...packet);
    const [live] = JSON.parse(listed) as readonly LiveRoute[];
    const { route, ifName } = fact;
    const isDefault = route.dst === "0.0.0.0/0" || route.dst === "::/0";
    const dst = isDefault ? "default" : route.dst.replace(/\/(32|128)$/, "");
    assert.deepEqual(
      { dst, gateway: route.gateway, dev: ifName, protocol: PROTOCOLS[route.protocol] },
      { dst: live?.dst, gateway: live?.gateway, dev: live?.dev, protocol: live?.protocol ?? "boot" },
    );
    count++;
  }
  assert.ok(count >= 4, `only ${count} lookups were shown`);
}

/** Of the packet around it that was seen last before the step. */
function outerSource(steps: readonly Step[], step: Step): string {
  const seen = steps.slice(0, steps.indexOf(step)).findLast(({ fact }) => fact.kind === "seen")?.fact;
  const outer = seen?.kind === "seen" ? seen.headers.find(isIp) : undefined;
  return outer?.src ?? assert.fail();
}

interface LiveNeighbour {
  readonly lladdr?: string;
  readonly state: readonly string[];
}

/** Every neighbour of the trace, as iproute2 lists it; and that the frame that left next went to that address. */
export async function assertNeighbours({ exec }: Stations, { steps }: Trace): Promise<void> {
  for (const [index, { station, fact }] of steps.entries()) {
    if (fact.kind !== "neighbour") continue;
    const listed = await exec(station, "ip", "-json", "neighbour", "show", "to", fact.ip, "dev", fact.ifName);
    const [live] = JSON.parse(listed) as readonly LiveNeighbour[];
    assert.equal(fact.mac, live?.lladdr);
    assert.equal(fact.origin === "permanent", live?.state.includes("PERMANENT"));
    // What a tunnel does from there may stand between.
    const after = steps
      .slice(index + 1)
      .find((step) => !["forwarding", "encapsulated"].includes(step.fact.kind));
    const next = after?.fact;
    const headers = next?.kind === "seen" && next.direction === "out" ? next.headers : assert.fail();
    const [ethernet] = headers;
    assert.equal(ethernet?.kind === "ethernet" ? ethernet.dst : undefined, fact.mac);
  }
}

/** The TTL at each capture point of one way: every station that forwards takes one away. */
export function ttlsOf(trace: Trace, direction: "there" | "back"): readonly number[] {
  return factsOf(trace, "seen", { direction }).map(({ headers }) => {
    const inner = headers.findLast(isIp);
    return inner?.ttl ?? assert.fail();
  });
}

/** The ways that packets between hosts of a lab travel, one after the other. */
export const WAYS = ["BGP", "IPIP", "VXLAN", "WireGuard"] as const;
export type Way = (typeof WAYS)[number];

const MODES: Readonly<Record<Way, Mode>> = {
  BGP: {},
  IPIP: { ipipMode: "Always" },
  VXLAN: { vxlanMode: "Always" },
  WireGuard: {},
};
/** What `ip route get` says of the way to a container on the other host. */
const SIGNS: Readonly<Record<Way, RegExp>> = {
  BGP: /via 192\.168\.0\.102 dev eth0(?!.*mtu 1480)/,
  IPIP: /dev tunl0|mtu 1480/,
  VXLAN: /dev vxlan\.calico/,
  WireGuard: /dev wireguard\.cali/,
};

/** Has packets between the two hosts of a dual-stack lab travel so, and waits until they do; those of IPv6 by VXLAN too, and otherwise as they are. */
export async function setWay(lab: Lab, way: Way): Promise<void> {
  const isVxlan = way === "VXLAN";
  await setMode(lab, MODES[way]);
  await setMode(lab, isVxlan ? { vxlanMode: "Always" } : {}, "default-ipv6-ippool");
  await patch(lab, FELIX_KEY, { spec: { wireguardEnabled: way === "WireGuard" } });
  const [a4 = "", a6 = ""] = (await lab.container("a")).addresses;
  const [d4 = "", d6 = ""] = (await lab.container("d")).addresses;
  const lookup = (host: string, ...args: readonly string[]): Promise<string> =>
    lab.exec(host, "ip", "route", "get", ...args);
  const isSo = async (): Promise<boolean> => {
    const [there, back] = [await lookup("host1", d4), await lookup("host2", a4)];
    const [there6, back6] = [await lookup("host1", d6), await lookup("host2", a6)];
    const sign = (text: string): boolean =>
      SIGNS[way].test(text.replaceAll("192.168.0.101", "192.168.0.102"));
    const sign6 = (text: string): boolean => text.includes("dev vxlan-v6.calico") === isVxlan;
    return sign(there) && sign(back) && sign6(there6) && sign6(back6);
  };
  await eventually(async () => {
    const statuses = await Promise.all(["host1", "host2"].map((host) => agentStatus(lab, host)));
    // Packets of IPv6 are not encrypted, which counts as a degradation.
    const isWell = statuses.every(
      ({ ready, degraded }) => ready && (way === "WireGuard" || degraded.length === 0),
    );
    return isWell && (await isSo());
  }, `packets by way of ${way}`);
}
