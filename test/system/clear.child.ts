// SPDX-License-Identifier: Apache-2.0
// Clears the node whose network namespace this runs in; prints what could not be removed. Argument: the agent's state directory.
import { clearNode } from "../../src/agent/clear.ts";
import { systemClock } from "../../src/system/clock.ts";
import { silentLog } from "../../src/system/log.ts";
import { systemProcesses } from "../../src/system/process.ts";

const [stateDirectory = ""] = process.argv.slice(2);
const collaborators = { clock: systemClock, log: silentLog, processes: systemProcesses };
const { signal } = new AbortController();
process.stdout.write(JSON.stringify(await clearNode({ stateDirectory }, collaborators, { signal })));
