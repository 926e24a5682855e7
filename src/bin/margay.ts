// SPDX-License-Identifier: Apache-2.0
import { keepCompiledSources } from "./compile-cache.ts";

keepCompiledSources();
const { runCli } = await import("../cli/main.ts");
process.exitCode = await runCli(process.argv.slice(2));
