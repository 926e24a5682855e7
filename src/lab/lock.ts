// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { type Server, connect, createServer } from "node:net";
import type { Layout } from "./layout.ts";
import { hasCode } from "../system/error-code.ts";

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Called when another command holds the lock, before waiting for it. */
  readonly onWait: () => void;
}

/**
 * Waits until no other command changes the lab, and keeps others out until disposed of.
 *
 * The lock is a listening unix socket in the abstract namespace (unix(7)): the kernel gives the name to one process, and
 * frees it however that process ends, so there is no file to go stale. Those who wait are connected to it: their
 * connection breaks when the lock is free. Abstract names belong to a network namespace; a lab's commands all run in the machine's.
 */
export async function lockLab({ name }: Layout, { signal, onWait }: LockOptions): Promise<AsyncDisposable> {
  const path = `\0margay-lab-${name}`;
  for (let isFirst = true; ; isFirst = false) {
    signal.throwIfAborted();
    const server = await tryListen(path);
    if (server !== undefined) return held(server);
    if (isFirst) onWait();
    await untilFree(path, signal);
  }
}

async function tryListen(path: string): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen({ path });
    await once(server, "listening");
    return server;
  } catch (error) {
    if (hasCode(error, "EADDRINUSE")) return undefined;
    throw error;
  }
}

function held(server: Server): AsyncDisposable {
  const waiting = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => {
    waiting.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => waiting.delete(socket));
  });
  return {
    async [Symbol.asyncDispose]() {
      // The name must be free before those who wait for it are woken.
      const closed = once(server, "close");
      server.close();
      for (const socket of waiting) socket.destroy();
      await closed;
    },
  };
}

/** A connection that fails or breaks means one thing, however it does: try again. */
async function untilFree(path: string, signal: AbortSignal): Promise<void> {
  const socket = connect({ path });
  socket.on("error", () => undefined);
  socket.resume();
  try {
    await once(socket, "close", { signal });
  } catch {
    signal.throwIfAborted();
  } finally {
    socket.destroy();
  }
}
