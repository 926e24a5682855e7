// SPDX-License-Identifier: Apache-2.0
import { pluralOf } from "../../model/keys.ts";
import { ALL_KINDS, type Kind } from "../../model/resource.ts";
import { CommandError } from "../exit.ts";

/** What people may call a kind beside its name and its plural; Calico's own short forms. */
const SHORT_NAMES: Readonly<Record<string, readonly string[]>> = {
  BGPConfiguration: ["bgpconfig", "bgpconfigs"],
  BGPFilter: ["bgpf"],
  BGPPeer: ["bgpp", "bgpps", "bp", "bps"],
  FelixConfiguration: ["felixconfig", "felixconfigs"],
  IPAMConfig: ["ipamconfiguration", "ipamconfigurations"],
  IPPool: ["ipp", "ipps", "pool", "pools"],
  IPReservation: ["ipres"],
  Node: ["no", "nos"],
  WorkloadEndpoint: ["wep", "weps"],
};

/** Every name of the kind, in lower case; the first is the one to suggest. */
export function namesOf(kind: Kind): readonly string[] {
  return [kind.toLowerCase(), pluralOf(kind), ...(SHORT_NAMES[kind] ?? [])];
}

/** The kind that a person means, in whatever case; throws {@link CommandError} where there is none. */
export function parseKind(text: string): Kind {
  const kind = ALL_KINDS.find((candidate) => namesOf(candidate).includes(text.toLowerCase()));
  if (kind !== undefined) return kind;
  const known = ALL_KINDS.map((one) => one.toLowerCase()).join(", ");
  throw new CommandError("invalid", `There is no kind ${JSON.stringify(text)}; want one of ${known}`);
}
