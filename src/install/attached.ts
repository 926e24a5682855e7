// SPDX-License-Identifier: Apache-2.0
import { readdir } from "node:fs/promises";

/** The interfaces of this machine that lead to containers (ARCHITECTURE.md, "link"). */
export async function attachedInterfaces(): Promise<readonly string[]> {
  return (await readdir("/sys/class/net")).filter((name) => /^cali[0-9a-f]{11}$/.test(name)).sort();
}
