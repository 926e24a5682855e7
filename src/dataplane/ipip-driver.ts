// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { release } from "node:os";
import type { IpipDriver } from "../desired/facts.ts";
import { IPIP_DEVICE } from "../desired/wanted.ts";
import { createIpip } from "./netlink/link-ipip.ts";
import { listLinks } from "./netlink/link.ts";
import type { Rtnetlink } from "./netlink/rtnetlink.ts";

/**
 * By what this kernel can have IPIP. Asking has it load its module, which makes a device in every namespace; where there is none, one of that
 * name is made. Throws `KernelError`.
 */
export async function detectIpipDriver(rtnetlink: Rtnetlink): Promise<IpipDriver> {
  const [error] = await rtnetlink.execute([createIpip({ name: IPIP_DEVICE })]);
  if (error === undefined || error.code === "EEXIST") return "device";
  if (error.code === "EOPNOTSUPP") return "bpf";
  throw error;
}

/** Likewise, as far as it can be told without having the module loaded: it is neither there, nor among those that could be. */
export async function guessIpipDriver(rtnetlink: Rtnetlink): Promise<IpipDriver> {
  const isThere = (await rtnetlink.list(listLinks)).some(({ kind }) => kind === "ipip");
  return isThere || isModule("ipip") ? "device" : "bpf";
}

/** Whether the kernel's modules, those that are built in among them, have one of the name (modules.dep(5), modules.builtin). */
function isModule(name: string): boolean {
  const pattern = new RegExp(`/${name}\\.ko[.\\w]*(:|$)`, "m");
  return ["modules.dep", "modules.builtin"].some((file) => {
    try {
      return pattern.test(readFileSync(`/lib/modules/${release()}/${file}`, "utf8"));
    } catch {
      return false;
    }
  });
}
