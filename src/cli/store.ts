// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { AGENT_SOCKET } from "../system/run-directory.ts";
import { connectStore } from "../datastore/client.ts";
import type { Store } from "../datastore/store.ts";

/** Options by which a command finds the datastore. */
export interface StoreOptions {
  readonly socket: string;
}

export function addStoreOptions(command: Command): Command {
  return command.option("--socket <path>", "the socket of the agent that serves the datastore", AGENT_SOCKET);
}

/** The datastore that the options name; nothing is sent before the first call. The caller disposes of it. */
export function openCommandStore({ socket }: StoreOptions): Store {
  return connectStore({ socketPath: socket });
}
