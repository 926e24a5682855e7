// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { VERSION_ANNOTATION } from "../../agent/facts.ts";
import type { Entry, Store } from "../../datastore/store.ts";
import { checkIpamTwice } from "../../ipam/check-twice.ts";
import { ROOT, parseResourceKey } from "../../model/keys.ts";
import { parseStoredResource } from "../../model/resource.ts";
import { parseInterfaceAddress } from "../../net/cidr.ts";
import type { Clock } from "../../system/clock.ts";
import type { ClusterSeen, NodeRecord } from "../observation.ts";

const stamped = z.looseObject({
  metadata: z.looseObject({ creationTimestamp: z.iso.datetime({ offset: true }) }),
});

/** Reads what nodes have stored. Rejects with `DatastoreError`, or the signal's reason. */
export async function readCluster(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  { signal }: { readonly signal: AbortSignal },
): Promise<ClusterSeen> {
  const ipam = await checkIpamTwice({ store, clock }, { signal });
  const { entries } = await store.list(ROOT, { signal });
  const nowMs = clock.now();
  const values = entries.map((entry) => ({ ...entry, json: parseJson(entry) }));
  return {
    ipam,
    nodes: values.flatMap(({ key, json }) => nodeRecord(key, json)),
    fromTheFuture: values.flatMap(({ key, json }) => {
      const parsed = stamped.safeParse(json);
      if (!parsed.success) return [];
      const aheadMs = Date.parse(parsed.data.metadata.creationTimestamp) - nowMs;
      return aheadMs > 0 ? [{ key, aheadMs }] : [];
    }),
  };
}

function nodeRecord(key: string, json: unknown): readonly NodeRecord[] {
  if (parseResourceKey(key)?.kind !== "Node") return [];
  const stored = parseStoredResource("Node", json);
  if (stored.kind !== "ok") return [];
  const { metadata, spec } = stored.value;
  const addresses = [spec.bgp?.ipv4Address, spec.bgp?.ipv6Address].filter((address) => address !== undefined);
  return [
    {
      name: metadata.name,
      addresses: addresses.map((address) => parseInterfaceAddress(address).ip),
      version: metadata.annotations?.[VERSION_ANNOTATION],
    },
  ];
}

/** IPAM's own check names what cannot be read. */
function parseJson({ value }: Entry): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}
