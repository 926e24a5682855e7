// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { z } from "zod";
import { nodeCheck, nodeStatus } from "../agent/answers.ts";
import { type AskOptions, askAgent } from "../agent/client.ts";
import { AGENT_SOCKET } from "../system/run-directory.ts";
import type { CommandContext } from "./context.ts";
import { CommandError } from "./exit.ts";
import { renderNodeCheck } from "./node-check.ts";
import { renderNodeStatus } from "./node-status.ts";
import { createCheckSystemCommand } from "./node/checksystem-command.ts";
import { createDiagsCommand } from "./node/diags-command.ts";
import { createInstallCommand } from "./node/install-command.ts";
import { createUninstallCommand } from "./node/uninstall-command.ts";
import { print } from "./print.ts";

const rotation = z.strictObject({ publicKey: z.string() });

/** Options that every node command has. */
interface NodeOptions {
  readonly socket: string;
  readonly json?: boolean;
}

/** Commands for the node whose agent listens on a socket of this machine. */
export function createNodeCommand(context: CommandContext): Command {
  const node = new Command("node")
    .description("look after this node, through its agent")
    .option("--socket <path>", "the agent's socket", AGENT_SOCKET)
    .option("--json", "print JSON")
    .configureHelp({ showGlobalOptions: true });
  const children = [
    createStatusCommand(context),
    createCheckCommand(context),
    createRotateKeysCommand(context),
    createCheckSystemCommand(context),
    createDiagsCommand(context),
    createInstallCommand(context),
    createUninstallCommand(context),
  ];
  for (const child of children) node.addCommand(child.configureHelp({ showGlobalOptions: true }));
  return node;
}

function createStatusCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("status").description(
    "show whether the node does its work, and what is amiss; fails if it is not ready",
  );
  return command.action(async () => {
    const options = command.optsWithGlobals<NodeOptions>();
    const status = nodeStatus.parse(await ask(options, "/status", { signal }));
    print(options, status, renderNodeStatus);
    if (!status.ready) exitWith(1);
  });
}

function createRotateKeysCommand({ signal }: CommandContext): Command {
  const command = new Command("rotate-keys").description(
    "give the node another WireGuard key, while packets flow",
  );
  return command.action(async () => {
    const options = command.optsWithGlobals<NodeOptions>();
    const answer = rotation.parse(await ask(options, "/wireguard/rotate", { method: "POST", signal }));
    print(options, answer, ({ publicKey }) => `The node's public key is now ${publicKey}`);
  });
}

function createCheckCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("check").description(
    "send packets of full size to every other node; fails if some way takes smaller ones only, or none",
  );
  return command.action(async () => {
    const options = command.optsWithGlobals<NodeOptions>();
    const report = nodeCheck.parse(await ask(options, "/check", { method: "POST", signal }));
    print(options, report, renderNodeCheck);
    if (!report.ok) exitWith(1);
  });
}

/** Throws {@link CommandError} that names the socket where no agent answers on it. */
async function ask({ socket }: NodeOptions, path: string, options: AskOptions): Promise<unknown> {
  try {
    return await askAgent(socket, path, options);
  } catch (error) {
    if (!(error instanceof Error && "syscall" in error)) throw error;
    const message = `Cannot ask the agent on "${socket}": ${error.message}`;
    throw new CommandError("unreachable", message, { cause: error });
  }
}
