// SPDX-License-Identifier: Apache-2.0
// What the two arguments of a trace stand for: containers of a lab by their names, or of this node by their addresses.
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { wireguardDirectory } from "../../agent/config.ts";
import type { ContainerStatus, LabStatus } from "../../lab/lab.ts";
import { LabError } from "../../lab/error.ts";
import { NETNS_DIRECTORY, createLayout } from "../../lab/layout.ts";
import { type Family, type Ip, familyOf, parseIp } from "../../net/ip.ts";
import { findLocalPlaces } from "../../observe/local-places.ts";
import type { StationPlace } from "../../observe/place.ts";
import { AGENT_SOCKET } from "../../system/run-directory.ts";
import { CommandError } from "../exit.ts";

export interface TracedEnds {
  readonly places: readonly StationPlace[];
  readonly source: StationPlace;
  readonly src: Ip;
  /** Absent where it is none that can be looked into. */
  readonly destination?: StationPlace;
  readonly dst: Ip;
}

export interface LabOptions {
  /** @default that of an end which is an address; IPv4 where both have it */
  readonly family?: Family;
  /** The lab's name, for where its hosts have their files: peers of a WireGuard outside the kernel are known from there. */
  readonly lab?: string;
}

/**
 * Of a lab: every host and machine is looked into. Throws {@link LabError} for a name that it has not.
 */
export function endsInLab(
  status: LabStatus,
  sourceName: string,
  destinationName: string,
  { family: wanted, lab }: LabOptions = {},
): TracedEnds {
  const source = containerOf(status, sourceName);
  if (source === undefined) throw absent(status, sourceName);
  const destination = containerOf(status, destinationName);
  const named = [addressIn(sourceName), addressIn(destinationName)];
  if (destination === undefined && named[1] === undefined) throw absent(status, destinationName);
  const family = wanted ?? familyIn(named) ?? commonFamily(source, destination);
  const src = named[0] ?? addressOf(source, family);
  const dst = named[1] ?? addressOf(destination ?? source, family);
  if ([src, dst].some((ip) => familyOf(ip) !== family))
    throw new CommandError("invalid", `Cannot trace from ${src} to ${dst}: want addresses of one family`);
  const [from, to] = [placeOf(source), destination && placeOf(destination)];
  const nodes = nodePlaces(status, lab);
  return {
    places: [from, ...nodes, ...(to === undefined || to.name === from.name ? [] : [to])],
    source: from,
    src,
    ...(to !== undefined && { destination: to }),
    dst,
  };
}

export interface NodeOptions {
  /** What the node is called. @default the machine's name */
  readonly nodeName?: string;
  /** Its agent's socket, beside which that has its files. */
  readonly socket?: string;
}

/** Of this machine's own node. Throws {@link CommandError} where the source is no container of it. */
export async function endsOnNode(
  src: Ip,
  dst: Ip,
  { nodeName = hostname(), socket = AGENT_SOCKET }: NodeOptions = {},
): Promise<TracedEnds> {
  const { container, ...local } = await findLocalPlaces(nodeName, [src, dst]);
  const stateDirectory = dirname(socket);
  const node = { ...local.node, wireguardDirectory: wireguardDirectory({ stateDirectory }) };
  const [source, destination] = [container(src), container(dst)];
  if (source === undefined)
    throw new CommandError(
      "failed",
      `Cannot trace from "${src}": no container of this node has that address`,
    );
  return {
    places: [
      source,
      node,
      ...(destination === undefined || destination.name === source.name ? [] : [destination]),
    ],
    source,
    src,
    ...(destination !== undefined && { destination }),
    dst,
  };
}

function containerOf({ containers }: LabStatus, name: string): ContainerStatus | undefined {
  return containers.find(
    (container) => container.name === name || container.addresses.some((text) => text === addressIn(name)),
  );
}

function addressOf({ name, addresses }: ContainerStatus, family: Family): Ip {
  const address = addresses.map(parseIp).find((ip) => familyOf(ip) === family);
  if (address !== undefined) return address;
  throw new CommandError("failed", `Cannot trace "${name}": it has no IPv${family} address`);
}

/** IPv6 where one of them has nothing else. */
function commonFamily(...containers: readonly (ContainerStatus | undefined)[]): Family {
  const has = (one: ContainerStatus | undefined): boolean =>
    one === undefined || one.addresses.some((text) => familyOf(parseIp(text)) === 4);
  return containers.every(has) ? 4 : 6;
}

function familyIn(named: readonly (Ip | undefined)[]): Family | undefined {
  const [first] = named.filter((ip) => ip !== undefined);
  return first && familyOf(first);
}

/** `undefined` for a name. */
export function addressIn(text: string): Ip | undefined {
  try {
    return parseIp(text);
  } catch {
    return undefined;
  }
}

function placeOf({ name, host, netns, interface: ifName }: ContainerStatus): StationPlace {
  return { name, kind: "container", netnsPath: pathOf(netns), attachment: { node: host, ifName } };
}

/** Whether BIRD runs tells something only where some host has it: routes may come from the datastore alone. */
function nodePlaces({ hosts, machines }: LabStatus, lab: string | undefined): readonly StationPlace[] {
  const layout = lab === undefined ? undefined : createLayout(lab);
  const hasBird = hosts.some(({ bird }) => bird !== null);
  return [
    ...hosts.map(({ name, netns, agent, bird }) => ({
      name,
      kind: "node" as const,
      netnsPath: pathOf(netns),
      ...(layout && {
        wireguardDirectory: wireguardDirectory({ stateDirectory: layout.host(name).directory }),
      }),
      processes: { agent: agent !== null, bird: !hasBird || bird !== null },
    })),
    ...machines.map(({ name, netns }) => ({ name, kind: "machine" as const, netnsPath: pathOf(netns) })),
  ];
}

function pathOf(netns: string): string {
  return join(NETNS_DIRECTORY, netns);
}

function absent({ containers }: LabStatus, name: string): LabError {
  const names = containers.map((container) => container.name).join(", ");
  return new LabError("absent", `Cannot trace "${name}": the lab has the containers ${names}`);
}
