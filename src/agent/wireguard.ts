// SPDX-License-Identifier: Apache-2.0
import type { WireguardEnd } from "../desired/facts.ts";
import { WIREGUARD_DEVICE } from "../desired/wanted.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import type { WireguardPublicKey } from "../net/wireguard-key.ts";
import { type TunnelContext, basisOf } from "./tunnels.ts";
import type { TunnelKind } from "./tunnel-end.ts";

interface Wait {
  readonly signal: AbortSignal;
}

/** WireGuard: one device, whose end is an address and a key. Packets to other nodes that have an end are encrypted, whatever a pool asks for. */
export function wireguardTunnel(context: TunnelContext): TunnelKind<WireguardEnd> {
  const { nodeName, catalog, calculation, dataplane, registration, wireguardKey, clock, learn } = context;
  const pools = () => catalog.pools;
  const learnEnd = (value: WireguardEnd | undefined): void => {
    learn([{ kind: "wireguardEnd", value }]);
  };
  /** The key that the node can use; without one, the device goes on with the key it has, if it has it still. */
  const usableKey = async (): Promise<WireguardPublicKey> => {
    try {
      return await wireguardKey.ensure();
    } catch (error) {
      const signal = AbortSignal.timeout(DEVICE_TIMEOUT_MS);
      if (recordedEnd(context) !== undefined && (await deviceFault(context, { signal })) !== undefined) {
        // The others must not send what nobody can read.
        await registration.recordWireguardEnd(undefined, { signal });
        learnEnd(undefined);
      }
      throw error;
    }
  };
  return {
    name: "WireGuard",
    family: 4,
    handleId: `wireguard-tunnel-addr-${nodeName}`,
    addressType: "wireguardTunnelAddress",
    isWanted: () => calculation.settings.wireguardEnabled,
    pools,
    basis: async () =>
      JSON.stringify([basisOf(pools()), calculation.settings.wireguardPort, await usableKey()]),
    async recorded() {
      const end = recordedEnd(context);
      // An agent that was ended while it changed the key has not told the others yet.
      return end && { ...end, publicKey: await wireguardKey.ensure().catch(() => end.publicKey) };
    },
    endWith: async (ip) => ({ ip: parseIpv4(ip), publicKey: await usableKey() }),
    learn: learnEnd,
    async programmed({ publicKey }, options) {
      if ((await deviceFault(context, options)) === undefined) {
        const known = recordedEnd(context)?.publicKey;
        if (known !== undefined && known !== publicKey) await clock.sleep(UNHEARD_MS, options);
        return;
      }
      // Its state tells why. Until it is right after all, the others send as they would without.
      await registration.recordWireguardEnd(undefined, options);
      await dataplane.programmed(WIREGUARD_DEVICE, options);
    },
    record: (end, options) => registration.recordWireguardEnd(end, options),
    // That nothing is to be sent any more, the settings have said already.
    unused: (options) => dataplane.routesLeft(WIREGUARD_DEVICE, options),
  };
}

const DEVICE_TIMEOUT_MS = 10_000;
/**
 * What the device asks for by a new key, the others must have dropped before they know it and ask themselves: two handshakes that cross, each
 * answered by a node that has begun one of its own, come to nothing, and are begun anew after five seconds (`REKEY_TIMEOUT`, the
 * WireGuard paper, section 6.4). Longer than packets travel between nodes of one cluster.
 */
const UNHEARD_MS = 100;

/** The end that the node's record tells of; one without an address is none. */
export function recordedEnd({ catalog }: Pick<TunnelContext, "catalog">): WireguardEnd | undefined {
  const publicKey = catalog.self?.status?.wireguardPublicKey;
  const ip = catalog.self?.spec.wireguard?.interfaceIPv4Address;
  return ip === undefined || publicKey === undefined ? undefined : { ip, publicKey };
}

/** Waits until the device is as it should be, or is known not to become so: then, why. */
async function deviceFault(
  { dataplane, conditions }: TunnelContext,
  { signal }: Wait,
): Promise<string | undefined> {
  const fault = (): string | undefined =>
    dataplane
      .status()
      .faults.find(({ kind, key }) => kind === "wireguard" || (kind === "link" && key === WIREGUARD_DEVICE))
      ?.reason;
  const isThere = (): boolean => dataplane.pendingOn(WIREGUARD_DEVICE).length === 0;
  const isDecided = (): boolean => dataplane.status().isSettled && (isThere() || fault() !== undefined);
  await conditions.until(isDecided, signal);
  return fault();
}
