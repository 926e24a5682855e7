// SPDX-License-Identifier: Apache-2.0
// The plugin by Node, from the sources; scripts/build makes the executable, of src/cni/native.
import { buffer as readAll } from "node:stream/consumers";
import { runPlugin } from "../cni/plugin.ts";

const { stdout, exitCode } = await runPlugin(process.env, await readAll(process.stdin));
process.stdout.write(stdout);
process.exitCode = exitCode;
