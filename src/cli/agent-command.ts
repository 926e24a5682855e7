// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { Tracer } from "../web/view/source.ts";
import type { CommandContext } from "./context.ts";

export function createAgentCommand({ signal }: CommandContext): Command {
  return new Command("agent")
    .description("run this node's agent until it is told to stop")
    .requiredOption("--config <file>", "configuration, in YAML")
    .action(async ({ config }: { config: string }) => {
      // The agent alone needs BIRD, the datastore and the kernel's interface: other commands start without them.
      const { runAgent } = await import("../agent/main.ts");
      await runAgent(config, { createTracer, signal });
    });
}

/** Few agents are ever asked for one. */
function createTracer({ nodeName, socket }: { readonly nodeName: string; readonly socket: string }): Tracer {
  return async (question, options) => {
    const { createNodeTracer } = await import("./trace/tracers.ts");
    return await createNodeTracer({ nodeName, socket })(question, options);
  };
}
