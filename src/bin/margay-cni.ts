// SPDX-License-Identifier: Apache-2.0
import { text } from "node:stream/consumers";
import { keepCompiledSources } from "./compile-cache.ts";

keepCompiledSources();
const { runPlugin } = await import("../cni/plugin.ts");
const { stdout, exitCode } = await runPlugin(process.env, await text(process.stdin));
process.stdout.write(stdout);
process.exitCode = exitCode;
