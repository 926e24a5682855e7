// SPDX-License-Identifier: Apache-2.0
import { type StoredResource, readResource } from "../../datastore/stored-resource.ts";
import type { Store, WaitOptions } from "../../datastore/store.ts";
import {
  DEFAULT_MAX_BLOCKS_PER_HOST,
  IPAM_CONFIG_DEFAULTS,
  type IPAMConfigSpec,
} from "../../model/ipam-config.ts";
import { formatIssues } from "../../model/issue.ts";
import { memberAt } from "../../model/json.ts";
import { parseStoredResource } from "../../model/resource.ts";
import { CommandError } from "../exit.ts";
import { renderTable } from "../table.ts";

/** How nodes take addresses, as it holds. */
export type Configuration = Pick<IPAMConfigSpec, Property> & {
  /** Those that nobody has set. */
  readonly defaults: readonly Property[];
};

type Property = (typeof PROPERTIES)[number];
const PROPERTIES = ["strictAffinity", "autoAllocateBlocks", "maxBlocksPerHost", "ipCooldownSeconds"] as const;

/** Throws {@link CommandError} for one that cannot be read: agents go by what they read before it, or by the defaults. */
export async function readConfiguration(store: Store, options: WaitOptions): Promise<Configuration> {
  const id = { kind: "IPAMConfig", name: "default" } as const;
  const stored = await readResource(store, id, options);
  const { strictAffinity, autoAllocateBlocks, maxBlocksPerHost, ipCooldownSeconds } = specOf(stored);
  const defaults = PROPERTIES.filter((name) => memberAt(stored?.json, "spec", name) === undefined);
  return { strictAffinity, autoAllocateBlocks, maxBlocksPerHost, ipCooldownSeconds, defaults };
}

function specOf(stored: StoredResource | undefined): IPAMConfigSpec {
  if (stored === undefined) return IPAM_CONFIG_DEFAULTS;
  const parsed = parseStoredResource("IPAMConfig", stored.json);
  if (parsed.kind === "ok") return parsed.value.spec;
  throw new CommandError("invalid", `Cannot use IPAMConfig "default": ${formatIssues(parsed.issues)}`);
}

/** Names are calicoctl's. */
export function renderConfiguration({ defaults, ...values }: Configuration): string {
  const rows = PROPERTIES.map((name) => [
    `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`,
    String(values[name]),
    noteOf(name, values[name], defaults.includes(name)),
  ]);
  return renderTable([["PROPERTY", "VALUE", ""], ...rows]);
}

function noteOf(name: Property, value: boolean | number, isDefault: boolean): string {
  const meaning = name === "maxBlocksPerHost" && value === 0 ? [`${DEFAULT_MAX_BLOCKS_PER_HOST} blocks`] : [];
  return [...(isDefault ? ["default"] : []), ...meaning].join(": ");
}
