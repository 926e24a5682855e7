// SPDX-License-Identifier: Apache-2.0
import type { Store, WaitOptions } from "../datastore/store.ts";
import { cidrAddress } from "../net/cidr.ts";
import { type HeldAddress, type Holder, addressesHeldBy, endpointsOf, wholeHandles } from "./held.ts";

/**
 * Addresses that the node's containers were given, of whom there is no record: an ADD that was cut off, and no DEL came. One whose handle has another address that is
 * in use is none, nor is one that an ADD is about to record: whoever gives them back has to have seen them twice, some time apart.
 */
export async function leakedAddresses(
  store: Store,
  node: Holder,
  options: WaitOptions = {},
): Promise<readonly HeldAddress[]> {
  const held = await addressesHeldBy(store, node, options);
  // After the addresses: a record is written after its address is taken.
  const endpoints = await endpointsOf(store, node.name, options);
  const used = new Set(endpoints.flatMap(({ spec }) => spec.ipNetworks.map(cidrAddress)));
  // Tunnel ends, and what other tools hold, are no container's.
  const unused = held.filter(
    ({ ip, attributes }) => attributes["containerID"] !== undefined && !used.has(ip),
  );
  return wholeHandles(store, unused, options);
}
