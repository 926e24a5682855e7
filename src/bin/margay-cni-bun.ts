// SPDX-License-Identifier: Apache-2.0
// What scripts/build makes the executable of: as margay-cni.ts, by what Bun itself has.
import { type BunApi, createBunExchange } from "../cni/exchange-bun.ts";
import { runPlugin } from "../cni/plugin.ts";

declare const Bun: BunApi;

const { stdout, exitCode } = await runPlugin(process.env, await Bun.stdin.text(), createBunExchange(Bun));
await Bun.write(Bun.stdout, stdout);
process.exitCode = exitCode;
