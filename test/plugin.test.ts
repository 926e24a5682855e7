// SPDX-License-Identifier: Apache-2.0
import { describePlugin } from "./plugin-contract.ts";
import { BUILD, MARGAY_CNI, PLUGIN_EXECUTABLE, succeed } from "./system/harness.ts";

await succeed(BUILD, []);
await succeed(BUILD, ["--sanitized"]);

describePlugin("the plugin from the sources", MARGAY_CNI);
describePlugin("the plugin's executable", PLUGIN_EXECUTABLE);
describePlugin("the plugin's executable, watched by sanitizers", `${PLUGIN_EXECUTABLE}.sanitized`);
