// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { CommandContext } from "./context.ts";
import { print } from "./print.ts";

const SOCKET = "/run/margay/agent.sock";

/** Commands for the node whose agent listens on a socket of this machine. */
export function createNodeCommand({ signal }: CommandContext): Command {
  const node = new Command("node").description("look after this node");
  node
    .command("rotate-keys")
    .description("give the node another WireGuard key, while packets flow")
    .option("--socket <path>", "the agent's socket", SOCKET)
    .option("--json", "print JSON")
    .action(async ({ socket, json = false }: { socket: string; json?: boolean }) => {
      const { rotateKeys } = await import("../agent/rotate-keys.ts");
      const publicKey = await rotateKeys(socket, { signal });
      print({ json }, { publicKey }, () => `The node's public key is now ${publicKey}`);
    });
  return node;
}
