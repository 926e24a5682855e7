// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { type AskedPool, parseAskedPool } from "../model/asked-pools.ts";
import { textField } from "../model/schema.ts";
import { type Family, familyOf } from "../net/ip.ts";
import { parseContainerIp, parseContainerMac } from "./container-address.ts";
import { CniError } from "./error.ts";

/** A result of a plugin before this one, or of this chain as ADD left it, from 0.3.0 on; what else it holds is kept. */
const PrevResult = z.looseObject({
  interfaces: z
    .array(z.looseObject({ name: z.string(), mac: z.string().optional(), sandbox: z.string().optional() }))
    .optional(),
  ips: z.array(z.looseObject({ address: z.string(), interface: z.int().optional() })).optional(),
  routes: z.array(z.looseObject({ dst: z.string() })).optional(),
  dns: z.looseObject({}).optional(),
});
export type PrevResult = z.infer<typeof PrevResult>;

const askedPools: z.ZodType<readonly AskedPool[], readonly string[]> = z.array(textField(parseAskedPool));
const macField = textField(parseContainerMac);
/** One address of each family at the most. */
const ipsField = z
  .array(textField(parseContainerIp))
  .refine((ips) => new Set(ips.map(familyOf)).size === ips.length, "want one of a family");

/** Of Calico's keys, those that say which pools addresses come from. */
const Ipam = z.strictObject({
  type: z.literal("calico-ipam", 'want "calico-ipam", or none: addresses come from IPPools').optional(),
  ipv4_pools: askedPools.optional(),
  ipv6_pools: askedPools.optional(),
  assign_ipv4: z.enum(["true", "false"]).optional(),
  assign_ipv6: z.enum(["true", "false"]).optional(),
});

/** The families of which a container gets an address each. As in Calico, that is IPv4 unless the network says otherwise, whatever pools there are. */
export function familiesOf({
  assign_ipv4: four = "true",
  assign_ipv6: six = "false",
}: Pick<z.infer<typeof Ipam>, "assign_ipv4" | "assign_ipv6"> = {}): readonly Family[] {
  return [...(four === "true" ? [4 as const] : []), ...(six === "true" ? [6 as const] : [])];
}

/** Specification section 5, "Success"; `dns`. */
const Dns = z.strictObject({
  nameservers: z.array(z.string()).optional(),
  domain: z.string().optional(),
  search: z.array(z.string()).optional(),
  options: z.array(z.string()).optional(),
});
export type Dns = z.infer<typeof Dns>;

/** JSON inside a string, as annotations hold what is no text. */
function jsonField<T>(schema: z.ZodType<T>): z.ZodType<T, string> {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "want JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

const notDone = (what: string): z.ZodOptional<z.ZodNever> => z.never(`${what} is not done here`).optional();

const FAMILY_NAMES = { IPv4: 4, IPv6: 6 } as const satisfies Record<string, Family>;

/** Each once, in whatever order. */
const familiesField = z
  .array(z.enum(["IPv4", "IPv6"]))
  .min(1)
  .refine((names) => new Set(names).size === names.length, "want each family once")
  .transform((names): readonly Family[] => names.map((name) => FAMILY_NAMES[name]).sort());

/** Calico's annotations of a container, `cni.projectcalico.org/…`. Others, also such as Calico itself writes, ask nothing. */
const Annotations = z.looseObject({
  "cni.projectcalico.org/ipAddrs": jsonField(ipsField).optional(),
  "cni.projectcalico.org/ipv4pools": jsonField(askedPools).optional(),
  "cni.projectcalico.org/ipv6pools": jsonField(askedPools).optional(),
  "cni.projectcalico.org/ipFamilies": jsonField(familiesField).optional(),
  "cni.projectcalico.org/hwAddr": macField.optional(),
  "cni.projectcalico.org/ipAddrsNoIpam": notDone("an address that IPAM does not know of"),
  "cni.projectcalico.org/floatingIPs": notDone("translation to a container"),
  "cni.projectcalico.org/allowedSourcePrefixes": notDone("sending from other addresses"),
});

/** containerd writes these keys as Go has its fields. */
const GO_NAMES: ReadonlyMap<string, string> = new Map([
  ["Servers", "servers"],
  ["Searches", "searches"],
  ["Options", "options"],
]);

/** `null` is Go's empty list. */
const runtimeList = z.array(z.string()).nullish();

const RuntimeDns = z
  .record(z.string(), z.unknown())
  .transform((dns) =>
    Object.fromEntries(Object.entries(dns).map(([key, value]) => [GO_NAMES.get(key) ?? key, value])),
  )
  .pipe(z.strictObject({ servers: runtimeList, searches: runtimeList, options: runtimeList }));

/** What a runtime fills in where the network says that this plugin is capable of it (CNI conventions, "Dynamic Plugin specific Fields"). Others are for other plugins of the chain. */
const RuntimeConfig = z.looseObject({
  ips: ipsField.optional(),
  mac: macField.optional(),
  dns: RuntimeDns.optional(),
  ipRanges: z.never("addresses come from IPPools").optional(),
  /** containerd's name for the annotations of a sandbox; `null` where it has none. */
  "io.kubernetes.cri.pod-annotations": Annotations.nullish(),
});

/** CNI conventions, "args"; `labels` and others are for whoever knows them. */
const Args = z.looseObject({ cni: z.looseObject({ ips: ipsField.optional() }).optional() });

/** What every call has. */
const COMMON = {
  /** Without it, the configuration is of the first version that had a number. */
  cniVersion: z.string().default("0.1.0"),
  /** Also part of IPAM handles, and so of datastore keys. */
  name: z
    .string()
    .regex(
      /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
      "must start with a letter or digit and hold only letters, digits, '_', '.' and '-'",
    )
    .max(128),
};

/** The keys of the specification (sections 1 and 3), and this plugin's own. */
const NetworkConfig = z.strictObject({
  ...COMMON,
  type: z.string(),
  /** What ADD waits for, in place of what the agent's configuration says. */
  routeReadiness: z.enum(["none", "local", "peers"]).optional(),
  /** The agent's unix socket. */
  agentSocket: z.string().startsWith("/").optional(),
  ipam: Ipam.refine(
    (ipam) => familiesOf(ipam).length > 0,
    'assign_ipv4 and assign_ipv6: want "true" for one of them at least',
  ).optional(),
  dns: Dns.optional(),
  capabilities: z.record(z.string(), z.boolean()).optional(),
  runtimeConfig: RuntimeConfig.optional(),
  args: Args.optional(),
  prevResult: PrevResult.optional(),
  ipMasq: z.literal(false, "want false: an IPPool says whether its addresses are translated").optional(),
  disableCheck: z.boolean().optional(),
  disableGC: z.boolean().optional(),
});
export type NetworkConfig = z.infer<typeof NetworkConfig>;

/** All that DEL needs: it has to succeed where ADD was refused for what else there is. */
const NetworkName = z.looseObject(COMMON);
export type NetworkName = z.infer<typeof NetworkName>;

const ValidAttachments = z.array(z.looseObject({ containerID: z.string(), ifname: z.string() }));

/** What GC needs. */
const NetworkAttachments = z.looseObject({
  ...COMMON,
  /** The attachments of the network that there are; no list at all is no empty one. */
  "cni.dev/valid-attachments": ValidAttachments,
});
export type NetworkAttachments = z.infer<typeof NetworkAttachments>;

/** Each parses what a runtime gives on standard input; throws {@link CniError} with the specification's code for the fault. */
export const parseNetworkConfig = (raw: unknown): NetworkConfig => parse(NetworkConfig, raw);
export const parseNetworkName = (raw: unknown): NetworkName => parse(NetworkName, raw);
export const parseNetworkAttachments = (raw: unknown): NetworkAttachments => parse(NetworkAttachments, raw);

function parse<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const unknownKey = parsed.error.issues.find((issue) => issue.code === "unrecognized_keys");
  if (unknownKey !== undefined) throw unsupportedField(raw, unknownKey.path, unknownKey.keys[0] ?? "");
  const faults = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "configuration"}: ${issue.message}`,
  );
  throw new CniError("invalidConfig", `Cannot use network configuration: ${faults.join("; ")}`);
}

/** The specification wants key and value of the field in the message. */
function unsupportedField(raw: unknown, path: readonly PropertyKey[], key: string): CniError {
  const value = [...path, key].reduce<unknown>(
    (at, step) => (isRecord(at) ? at[String(step)] : undefined),
    raw,
  );
  const name = [...path.map(String), key].join(".");
  return new CniError(
    "unsupportedField",
    `Cannot use network configuration: unsupported field "${name}" with value ${JSON.stringify(value)}`,
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
