// SPDX-License-Identifier: Apache-2.0
import type { AskedPool } from "../model/asked-pools.ts";
import { isIdentifier } from "../model/name.ts";
import { type Family, type Ip, familyOf } from "../net/ip.ts";
import type { Mac } from "../net/mac.ts";
import { parseContainerIp, parseContainerMac } from "./container-address.ts";
import { CniError } from "./error.ts";
import { type Dns, type NetworkConfig, familiesOf } from "./network-config.ts";

/** What is wanted of an attachment, from wherever it may be said. */
export interface Wish {
  /** The namespace that an orchestrator says the container is in. */
  readonly namespace: string | undefined;
  /** One address of each: those of the addresses that are asked for, as in Calico, else of the container's annotation, else what the network says. */
  readonly families: readonly Family[];
  /** These addresses and no others, one of a family at the most; empty where any will do. */
  readonly ips: readonly Ip[];
  /** The container end's MAC address; any where there is none. */
  readonly mac: Mac | undefined;
  /** These pools alone. */
  readonly ipv4Pools: readonly AskedPool[] | undefined;
  readonly ipv6Pools: readonly AskedPool[] | undefined;
  readonly dns: Dns | undefined;
}

/**
 * Of several that ask, the closest to the container has its way: what the runtime fills in, then `args` of the configuration, then `CNI_ARGS` (CNI conventions), then the container's
 * annotations, then the network. Throws {@link CniError}.
 */
export function parseWish(config: NetworkConfig, cniArgs: string | undefined): Wish {
  const args = parseArgs(cniArgs);
  const { runtimeConfig, ipam } = config;
  const annotations = runtimeConfig?.["io.kubernetes.cri.pod-annotations"];
  const ips =
    runtimeConfig?.ips ??
    config.args?.cni?.ips ??
    readArg(args, "IP", (text) => [parseContainerIp(text)]) ??
    annotations?.["cni.projectcalico.org/ipAddrs"] ??
    [];
  return {
    namespace: readArg(args, "K8S_POD_NAMESPACE", parseNamespace),
    families:
      ips.length > 0
        ? ips.map(familyOf).sort()
        : (annotations?.["cni.projectcalico.org/ipFamilies"] ?? familiesOf(ipam)),
    ips,
    mac:
      runtimeConfig?.mac ??
      readArg(args, "MAC", parseContainerMac) ??
      annotations?.["cni.projectcalico.org/hwAddr"],
    ipv4Pools: annotations?.["cni.projectcalico.org/ipv4pools"] ?? ipam?.ipv4_pools,
    ipv6Pools: annotations?.["cni.projectcalico.org/ipv6pools"] ?? ipam?.ipv6_pools,
    dns: dnsOf(config),
  };
}

/** The runtime's, where it gives any, has other names for the same. */
function dnsOf({ dns, runtimeConfig }: NetworkConfig): Dns | undefined {
  if (runtimeConfig?.dns === undefined) return dns;
  const { servers, searches, options } = runtimeConfig.dns;
  return {
    ...dns,
    ...(servers && { nameservers: servers }),
    ...(searches && { search: searches }),
    ...(options && { options }),
  };
}

/** `undefined` where the argument is not there, or empty: runtimes set all of them, with or without a value. */
function readArg<T>(
  args: ReadonlyMap<string, string>,
  name: string,
  parse: (text: string) => T,
): T | undefined {
  const text = args.get(name) ?? "";
  if (text === "") return undefined;
  try {
    return parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CniError("invalidEnvironment", `Cannot use ${name} of CNI_ARGS: ${why}`, { cause });
  }
}

function parseNamespace(text: string): string {
  if (isIdentifier(text)) return text;
  throw new SyntaxError(`"${text}" is no namespace: want letters, digits, '_', '.' and '-'`);
}

/** `NAME=value` pairs with semicolons between them; those that are not for this plugin are looked at for their form alone. */
function parseArgs(text = ""): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const pair of text === "" ? [] : text.split(";")) {
    const [, name = "", value = ""] = /^([^=]+)=([^=]*)$/.exec(pair) ?? [];
    const fault = name === "" ? "want NAME=value" : args.has(name) ? "it is there twice" : undefined;
    if (fault !== undefined)
      throw new CniError("invalidEnvironment", `Cannot use "${pair}" of CNI_ARGS: ${fault}`);
    args.set(name, value);
  }
  return args;
}
