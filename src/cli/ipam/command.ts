// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { createCheckCommand } from "./check-command.ts";
import { createConfigureCommand } from "./configure-command.ts";
import { createReleaseCommand } from "./release-command.ts";
import { createShowCommand } from "./show-command.ts";
import { createSplitCommand } from "./split-command.ts";

/** Commands for addresses, as calicoctl has them. */
export function createIpamCommand(context: CommandContext): Command {
  const ipam = new Command("ipam").description("look after addresses");
  const children = [
    createShowCommand,
    createCheckCommand,
    createReleaseCommand,
    createConfigureCommand,
    createSplitCommand,
  ];
  for (const create of children) ipam.addCommand(create(context));
  return ipam;
}
