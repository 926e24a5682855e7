// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { cidrAddress, isHostCidr, parseCidr } from "../net/cidr.ts";
import { parseIfName } from "../net/if-name.ts";
import { type NamespacedMetadata, type Resource, namespacedResource } from "./metadata.ts";
import { isIdentifier, parseNodeName } from "./name.ts";
import { type Output, ipField, macField, portField, textField } from "./schema.ts";

/** Containers without an orchestrator live in this namespace. */
export const ENDPOINT_NAMESPACE = "default";

/** A container's own address: a prefix of one address, also where it was written without its length. */
const hostCidrField = textField((text) => {
  const cidr = parseCidr(text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`);
  if (!isHostCidr(cidr))
    throw new SyntaxError(`Cannot use "${text}": want one address, "${cidrAddress(cidr)}"`);
  return cidr;
}).meta({ title: "address" });

const spec = z.strictObject({
  /** Who made the endpoint: `cni` for containers without an orchestrator, `k8s`, … */
  orchestrator: z.string().min(1),
  workload: z.string().exactOptional(),
  node: textField(parseNodeName).meta({ title: "name of a node" }),
  containerID: z.string().exactOptional(),
  pod: z.string().exactOptional(),
  /** The interface's name inside the container. */
  endpoint: z.string().min(1),
  serviceAccountName: z.string().exactOptional(),
  ipNetworks: z.array(hostCidrField).default([]),
  ipNATs: z.array(z.strictObject({ internalIP: ipField, externalIP: ipField })).exactOptional(),
  ipv4Gateway: ipField.exactOptional(),
  ipv6Gateway: ipField.exactOptional(),
  profiles: z.array(z.string()).exactOptional(),
  /** The node's end of the link. */
  interfaceName: textField(parseIfName).meta({ title: "interface" }),
  /** Of the container's end. */
  mac: macField.exactOptional(),
  ports: z
    .array(
      z.strictObject({
        name: z.string().exactOptional(),
        protocol: z.union([z.string(), z.int()]).exactOptional(),
        port: portField,
        hostPort: z.int().min(0).max(65_535).exactOptional(),
        hostIP: z.string().exactOptional(),
      }),
    )
    .exactOptional(),
});

export type WorkloadEndpointSpec = Output<typeof spec>;
/** One end of the network: an interface of one container. */
export type WorkloadEndpoint = Resource<"WorkloadEndpoint", WorkloadEndpointSpec, NamespacedMetadata>;

export const workloadEndpointSchema: z.ZodType<WorkloadEndpoint> = namespacedResource(
  "WorkloadEndpoint",
  spec,
).superRefine((endpoint, context) => {
  const parts = partsOf(endpoint.spec);
  const name = parts.every(isPart) ? composeName(parts) : undefined;
  if (name !== endpoint.metadata.name)
    context.addIssue({
      code: "custom",
      path: ["metadata", "name"],
      message: `want ${name === undefined ? "a name its parts can form" : `"${name}"`}`,
    });
});

/** What identifies an endpoint, and so what its name is composed of. */
export type EndpointIdentity = Pick<
  WorkloadEndpointSpec,
  "node" | "orchestrator" | "workload" | "containerID" | "pod" | "endpoint"
>;

/**
 * Calico's name for the endpoint: node, orchestrator, workload and endpoint joined by `-`, with every `-` inside them
 * doubled. Throws `SyntaxError` where a part is empty or its ends make the name ambiguous.
 */
export function workloadEndpointName(identity: EndpointIdentity): string {
  const parts = partsOf(identity);
  const bad = parts.find((part) => !isPart(part));
  if (bad !== undefined)
    throw new SyntaxError(`Cannot name endpoint of "${identity.node}": "${bad}" cannot be part of a name`);
  const name = composeName(parts);
  if (!isIdentifier(name)) throw new SyntaxError(`Cannot name endpoint "${name}": it is too long`);
  return name;
}

/** What the names of a node's endpoints start with; another node's may start alike, so `spec.node` has the last word. */
export function workloadEndpointPrefix(node: string): string {
  return `${node.replaceAll("-", "--")}-`;
}

/** The parts of an endpoint's name, as {@link workloadEndpointName} joined them; `undefined` unless there are four. */
export function parseWorkloadEndpointName(
  name: string,
): { node: string; orchestrator: string; workload: string; endpoint: string } | undefined {
  // No part starts or ends with a hyphen, so pairs of them are escapes and single ones are joints.
  const parts = name.split(/(?<!-)-(?!-)/).map((part) => part.replaceAll("--", "-"));
  const [node, orchestrator, workload, endpoint] = parts;
  if (node === undefined || orchestrator === undefined || workload === undefined || endpoint === undefined)
    return undefined;
  if (parts.length > 4 || !parts.every(isPart)) return undefined;
  return { node, orchestrator, workload, endpoint };
}

function partsOf({
  node,
  orchestrator,
  workload,
  containerID,
  pod,
  endpoint,
}: EndpointIdentity): readonly string[] {
  const byOrchestrator: Readonly<Record<string, string | undefined>> = {
    k8s: pod,
    cni: containerID,
    libnetwork: orchestrator,
  };
  const known = Object.hasOwn(byOrchestrator, orchestrator);
  return [node, orchestrator, (known ? byOrchestrator[orchestrator] : workload) ?? "", endpoint];
}

function isPart(part: string): boolean {
  return isIdentifier(part) && !part.endsWith("-");
}

function composeName(parts: readonly string[]): string {
  return parts.map((part) => part.replaceAll("-", "--")).join("-");
}
