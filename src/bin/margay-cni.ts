// SPDX-License-Identifier: Apache-2.0
// The plugin by Node, from the sources; the executable that is made of it starts at margay-cni-bun.ts.
import { text } from "node:stream/consumers";
import { exchange } from "../cni/exchange.ts";
import { runPlugin } from "../cni/plugin.ts";

const { stdout, exitCode } = await runPlugin(process.env, await text(process.stdin), exchange);
process.stdout.write(stdout);
process.exitCode = exitCode;
