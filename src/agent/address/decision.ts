// SPDX-License-Identifier: Apache-2.0
import type { AddressSetting, DetectionMethod } from "../../model/address-setting.ts";
import { parseInterfaceAddress } from "../../net/cidr.ts";
import type { Family } from "../../net/ip.ts";
import {
  type Detection,
  type NetworkState,
  type PassedOver,
  describeNone,
  detectAddress,
} from "./detection.ts";

/** Another address than the one that is kept. */
export interface Alternative {
  readonly address: string;
  readonly reason: string;
}

/** An address that the node has. */
export interface KnownAddress {
  /** `192.168.0.101/24` */
  readonly address: string;
  /** Why this one, in words. */
  readonly reason: string;
  readonly passedOver: readonly PassedOver[];
  /** What is amiss although the node has an address, in words. */
  readonly degradation?: string;
  /** What detection would take instead; the node takes it once its record is taken away. */
  readonly alternative?: Alternative;
}

export type Decision =
  | { readonly kind: "waiting"; readonly reason: string }
  | {
      readonly kind: "known";
      readonly known: KnownAddress;
      /** What the operator should know of, since the node has another address than before. */
      readonly warning?: string;
    };

export interface DecisionInput {
  readonly nodeName: string;
  readonly setting: AddressSetting;
  /** The address that the Node has in the datastore. */
  readonly recorded: string | undefined;
  readonly network: NetworkState;
}

/**
 * What an agent that starts takes for its node's address: what it is told; or what is recorded, as long as an interface has it; or what is
 * detected. An address that others know is not changed because a route or an interface has come first for once.
 */
export function decideAddress({ nodeName, setting, recorded, network }: DecisionInput): Decision {
  if (setting.kind === "fixed") return decideFixed(setting.address, recorded);
  const kept = recorded === undefined ? undefined : onInterface(recorded, network);
  if (kept !== undefined) return { kind: "known", known: reviewAddress(nodeName, setting, kept, network) };
  const detection = detectAddress(setting, network);
  const { found, passedOver } = detection;
  const gone = recorded === undefined ? undefined : `${recorded}, which is recorded, is on no interface`;
  if (found === undefined) {
    const none = describeNone(setting, detection);
    return { kind: "waiting", reason: gone === undefined ? none : `${none}; ${gone}` };
  }
  const { address, reason } = found;
  if (gone === undefined) return { kind: "known", known: { address, reason, passedOver } };
  return {
    kind: "known",
    known: { address, reason: `${reason}; ${gone}`, passedOver },
    warning: `The node's address is now ${address} (${reason}): ${gone}`,
  };
}

function decideFixed(address: string, recorded: string | undefined): Decision {
  const known = { address, reason: "set in the configuration", passedOver: [] };
  if (recorded === undefined || recorded === address) return { kind: "known", known };
  const warning = `The node's address is now ${address}, as its configuration says: ${recorded} was recorded`;
  return { kind: "known", known, warning };
}

/** What is to be said of an address that the node keeps, by what detection finds now. */
export function reviewAddress(
  nodeName: string,
  method: DetectionMethod,
  address: string,
  network: NetworkState,
): KnownAddress {
  const detection = detectAddress(method, network);
  const { found, passedOver } = detection;
  const { ip } = parseInterfaceAddress(address);
  if (found?.ip === ip) return { address, reason: found.reason, passedOver };
  const known = { address, reason: "recorded before", passedOver: othersThan(address, detection) };
  const keeps = `the node keeps ${address}, which is recorded`;
  const { setting, field } = NAMES[network.family];
  const toStay = `set "${setting}: ${address}" in the configuration`;
  if (found === undefined) {
    const degradation = `${setting}: ${describeNone(method, detection)}; ${keeps}; to keep it for good, ${toStay}`;
    return { ...known, degradation };
  }
  const toAccept = `delete spec.bgp.${field} of the Node "${nodeName}"`;
  return {
    ...known,
    degradation: `${setting}: ${found.address} is what would be taken now (${found.reason}), and ${keeps}; to accept the other, ${toAccept}; to keep this one for good, ${toStay}`,
    alternative: { address: found.address, reason: found.reason },
  };
}

/** What the configuration and the Node call the address. */
const NAMES: Readonly<Record<Family, { readonly setting: string; readonly field: string }>> = {
  4: { setting: "address", field: "ipv4Address" },
  6: { setting: "ipv6Address", field: "ipv6Address" },
};

/** What was found is passed over as well, in favour of what is recorded. */
function othersThan(kept: string, { found, passedOver }: Detection): readonly PassedOver[] {
  const others = passedOver.filter(({ address }) => address !== kept);
  if (found === undefined) return others;
  const { address, interface: name } = found;
  return [{ address, interface: name, reason: "another address is recorded" }, ...others];
}

/** The address with the length that it has on its interface; `undefined` where none has it. */
export function onInterface(address: string, { addresses }: NetworkState): string | undefined {
  const { ip } = parseInterfaceAddress(address);
  const carrier = addresses.find((candidate) => candidate.ip === ip);
  return carrier && `${ip}/${carrier.prefixLength}`;
}

/** What is waited for where no interface has an address that is taken all the same. */
export function describeMissing(address: string): string {
  const { ip } = parseInterfaceAddress(address);
  return `no interface has ${ip}`;
}
