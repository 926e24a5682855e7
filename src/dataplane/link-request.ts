// SPDX-License-Identifier: Apache-2.0
import { failureOf } from "./apply-table.ts";
import type { Kernel } from "./kernel.ts";
import type { NetlinkRequest } from "./netlink/request.ts";
import type { NewWireguard } from "./wireguard/driver.ts";

/** What is asked of rtnetlink; or to make a device that may not be the kernel's. */
export type LinkRequest = NetlinkRequest | { readonly description: string; readonly device: NewWireguard };

/** Carries requests out, and gives what came of each. */
export async function changeLinks(
  requests: readonly LinkRequest[],
  { rtnetlink, wireguard }: Pick<Kernel, "rtnetlink" | "wireguard">,
): Promise<readonly (Error | undefined)[]> {
  const plain = requests.filter((request): request is NetlinkRequest => !("device" in request));
  const answers = (await rtnetlink.execute(plain)).values();
  const results: (Error | undefined)[] = [];
  for (const request of requests) {
    if ("device" in request) results.push(await failureOf(() => wireguard.driver.create(request.device)));
    else results.push(answers.next().value);
  }
  return results;
}
