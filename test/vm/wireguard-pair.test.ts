// SPDX-License-Identifier: Apache-2.0
// Two nodes with WireGuard by the kernel.
import { createKernelDriver } from "../../src/dataplane/wireguard/kernel-driver.ts";
import { testWireguardPair } from "../system/wireguard-pair-contract.ts";

testWireguardPair({ name: "the kernel", create: (_stack, _host, access) => createKernelDriver(access) });
