// SPDX-License-Identifier: Apache-2.0
// WireGuard by the kernel, and by whichever a node takes: here the kernel too.
import { openGenetlink } from "../../src/dataplane/netlink/genetlink.ts";
import { createWireguardDriver } from "../../src/dataplane/wireguard/any-driver.ts";
import { createKernelDriver } from "../../src/dataplane/wireguard/kernel-driver.ts";
import { systemClock } from "../../src/system/clock.ts";
import { createFakeProcesses } from "../../src/system/process.ts";
import { type CreateDriver, testWireguardDriver } from "../system/wireguard-driver-contract.ts";

const byKernel: CreateDriver = ({ netns }, rtnetlink, stack) =>
  createKernelDriver({ rtnetlink, genetlink: stack.use(openGenetlink({ netns })) });

const byAny: CreateDriver = ({ netns }, rtnetlink, stack) => {
  const genetlink = stack.use(openGenetlink({ netns }));
  const processes = createFakeProcesses({});
  return createWireguardDriver(
    { rtnetlink, genetlink, processes, clock: systemClock },
    { directory: "/run/mwg/wireguard" },
  );
};

testWireguardDriver("the kernel", byKernel);
testWireguardDriver("the kernel, which has it", byAny);
