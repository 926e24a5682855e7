// SPDX-License-Identifier: Apache-2.0
// Runs by Node from the sources, and by Bun inside the executable that scripts/build makes of it: what it imports uses what both have.
import { text } from "node:stream/consumers";
import { runPlugin } from "../cni/plugin.ts";

const { stdout, exitCode } = await runPlugin(process.env, await text(process.stdin));
process.stdout.write(stdout);
process.exitCode = exitCode;
