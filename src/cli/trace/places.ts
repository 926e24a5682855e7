// SPDX-License-Identifier: Apache-2.0
// What the two arguments of a trace stand for: containers of a lab by their names, or of this node by their addresses.
import { hostname } from "node:os";
import { join } from "node:path";
import type { ContainerStatus, LabStatus } from "../../lab/lab.ts";
import { LabError } from "../../lab/error.ts";
import { NETNS_DIRECTORY } from "../../lab/layout.ts";
import { type Ipv4, isIpv4 } from "../../net/ipv4.ts";
import { findLocalPlaces } from "../../observe/local-places.ts";
import type { StationPlace } from "../../observe/place.ts";
import { CommandError } from "../exit.ts";

export interface TracedEnds {
  readonly places: readonly StationPlace[];
  readonly source: StationPlace;
  readonly src: Ipv4;
  /** Absent where it is none that can be looked into. */
  readonly destination?: StationPlace;
  readonly dst: Ipv4;
}

/** Of a lab: every host and machine is looked into. Throws {@link LabError} for a name that it has not. */
export function endsInLab(status: LabStatus, sourceName: string, destinationName: string): TracedEnds {
  const source = containerOf(status, sourceName);
  if (source === undefined) throw absent(status, sourceName);
  const destination = containerOf(status, destinationName);
  const dst = destination === undefined ? destinationName : ipv4Of(destination);
  if (!isIpv4(dst)) throw absent(status, destinationName);
  const [from, to] = [placeOf(source), destination && placeOf(destination)];
  const nodes = nodePlaces(status);
  return {
    places: [from, ...nodes, ...(to === undefined || to.name === from.name ? [] : [to])],
    source: from,
    src: ipv4Of(source),
    ...(to !== undefined && { destination: to }),
    dst,
  };
}

/** Of this machine's own node. Throws {@link CommandError} where the source is no container of it. */
export async function endsOnNode(src: Ipv4, dst: Ipv4): Promise<TracedEnds> {
  const { node, container } = await findLocalPlaces(hostname(), [src, dst]);
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
    (container) => container.name === name || ipv4sOf(container).some((ip) => ip === name),
  );
}

function ipv4Of(container: ContainerStatus): Ipv4 {
  const [address] = ipv4sOf(container);
  if (address !== undefined) return address;
  throw new CommandError("failed", `Cannot trace "${container.name}": it has no IPv4 address`);
}

function ipv4sOf({ addresses }: ContainerStatus): readonly Ipv4[] {
  return addresses.filter(isIpv4);
}

function placeOf({ name, host, netns, interface: ifName }: ContainerStatus): StationPlace {
  return { name, kind: "container", netnsPath: pathOf(netns), attachment: { node: host, ifName } };
}

/** Whether BIRD runs tells something only where some host has it: routes may come from the datastore alone. */
function nodePlaces({ hosts, machines }: LabStatus): readonly StationPlace[] {
  const hasBird = hosts.some(({ bird }) => bird !== null);
  return [
    ...hosts.map(({ name, netns, agent, bird }) => ({
      name,
      kind: "node" as const,
      netnsPath: pathOf(netns),
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
