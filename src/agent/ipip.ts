// SPDX-License-Identifier: Apache-2.0
import { prepareIpipTunnel } from "../dataplane/bpf/ipip-tunnel.ts";
import { detectIpipDriver, guessIpipDriver } from "../dataplane/ipip-driver.ts";
import type { IpipDriver, IpipEnd } from "../desired/facts.ts";
import { IPIP_DEVICE } from "../desired/wanted.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { nodeFacts } from "./facts.ts";
import { type TunnelContext, basisOf, poolsWith, unusedTunnel } from "./tunnels.ts";
import type { TunnelKind } from "./tunnel-end.ts";

/** IPIP: an address, on the kernel's device or beside programs on the underlay. */
export function ipipTunnel(context: TunnelContext): TunnelKind<IpipEnd> {
  const { nodeName, catalog, dataplane, registration, learn } = context;
  const pools = () => poolsWith(catalog, "ipipMode");
  const driver = createDriverChoice(context);
  return {
    name: "IPIP",
    family: 4,
    handleId: `ipip-tunnel-addr-${nodeName}`,
    addressType: "ipipTunnelAddress",
    async prepare(options) {
      const { ipipDriver, rtnetlink, underlay } = context;
      const likely = ipipDriver === "auto" ? await guessIpipDriver(rtnetlink) : ipipDriver;
      if (likely === "bpf")
        await prepareIpipTunnel({ rtnetlink, ifIndex: (await underlay()).index }, options);
    },
    isWanted: () => pools().length > 0,
    pools,
    basis: () => basisOf(pools()),
    async recorded() {
      const ip = catalog.self && nodeFacts(catalog.self)?.ipip;
      return ip && { ip, driver: await driver() };
    },
    endWith: async (ip) => ({ ip: parseIpv4(ip), driver: await driver() }),
    learn: (value) => {
      learn([{ kind: "ipipEnd", value }]);
    },
    async programmed({ driver: chosen }, options) {
      if (chosen === "device") await dataplane.programmed(IPIP_DEVICE, options);
      else await dataplane.programmedIpip(options);
    },
    record: (end, options) => registration.recordIpipEnd(end?.ip, options),
    async unused(options) {
      await unusedTunnel("ipip", context, options);
      await dataplane.birdRoutesLeft(IPIP_DEVICE, options);
    },
  };
}

/** Asked once, and only where IPIP is wanted: to ask has the kernel load its module. */
function createDriverChoice({ ipipDriver, rtnetlink }: TunnelContext): () => Promise<IpipDriver> {
  let chosen: IpipDriver | undefined;
  return async () => {
    if (ipipDriver !== "auto") return ipipDriver;
    chosen ??= await detectIpipDriver(rtnetlink);
    return chosen;
  };
}
