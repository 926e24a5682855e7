// SPDX-License-Identifier: Apache-2.0
import type { SysctlFiles } from "./sysctl.ts";

/**
 * Has interfaces go on to heed routers' advertisements on a node that is about to forward IPv6. The kernel would ignore them from then on, and drop the default routes that it
 * has by them, where `accept_ra` is 1 (`addrconf_fixup_forwarding()`, net/ipv6/addrconf.c; `rt6_purge_dflt_routers()`, net/ipv6/route.c); with 2 all stays as it
 * is. Whoever has set anything else, as network managers do that read advertisements themselves, keeps it.
 * @returns the interfaces that were changed
 */
export function keepAdvertisements(ifNames: readonly string[], files: SysctlFiles): readonly string[] {
  const heeding = ifNames.filter(
    (name) =>
      files.read(settingOf(name, "accept_ra")) === "1" && files.read(settingOf(name, "forwarding")) === "0",
  );
  for (const name of heeding) files.write(settingOf(name, "accept_ra"), "2");
  return heeding;
}

function settingOf(ifName: string, setting: string): readonly string[] {
  return ["net", "ipv6", "conf", ifName, setting];
}
