// SPDX-License-Identifier: Apache-2.0
import {
  IPIP_DEVICE,
  LOOPBACK,
  VXLAN6_DEVICE,
  VXLAN_DEVICE,
  WIREGUARD_DEVICE,
} from "../../desired/wanted.ts";

/** Whether the name is one that only Margay or Calico gives: an address there is no node's, whatever is asked for. */
export function isOwnInterface(name: string): boolean {
  return name.startsWith("cali") || OWN_DEVICES.includes(name);
}

const OWN_DEVICES: readonly string[] = [
  IPIP_DEVICE,
  VXLAN_DEVICE,
  VXLAN6_DEVICE,
  WIREGUARD_DEVICE,
  "wg-v6.cali",
];

/**
 * Whose the interface is by its name, in words; `undefined` where it may be the node's. Calico's DEFAULT_INTERFACES_TO_EXCLUDE
 * (node/pkg/lifecycle/startup/autodetection), and others of that kind.
 */
export function ownerByName(name: string): string | undefined {
  if (name === LOOPBACK) return "is the loopback interface";
  const owner = OWNERS.find(([pattern]) => pattern.test(name))?.[1];
  return owner && `is ${owner}, by its name`;
}

const OWNERS: readonly (readonly [names: RegExp, owner: string])[] = [
  // br- and the first 12 digits of the network's identifier.
  [/^(docker|br-[0-9a-f]{12}$)/, "Docker's"],
  [/^podman/, "Podman's"],
  [/^veth/, "a container's"],
  [/^(cni|cbr)/, "a container network's"],
  [/^flannel/, "flannel's"],
  [/^cilium/, "Cilium's"],
  [/^weave/, "Weave Net's"],
  [/^tunl/, "a tunnel"],
  [/^(kube-|nodelocaldns)/, "that of a service of Kubernetes"],
  [/^(virbr|vnet[0-9])/, "libvirt's"],
  [/^(lxcbr|lxdbr|incusbr)/, "that of LXC, LXD or Incus"],
  [/^dummy/, "a dummy interface"],
];
