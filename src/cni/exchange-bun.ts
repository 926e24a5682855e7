// SPDX-License-Identifier: Apache-2.0
// The executable's own way to the agent. Bun has Node's sockets and streams as JavaScript, which takes as long to load as all of the rest.
import type { Exchange } from "./exchange.ts";

/** Of Bun's API, what the plugin uses. */
export interface BunApi {
  readonly stdin: { text(): Promise<string> };
  readonly stdout: unknown;
  write(file: unknown, text: string): Promise<number>;
  connect(options: { readonly unix: string; readonly socket: SocketHandler }): Promise<BunSocket>;
}

interface BunSocket {
  /** How many octets the kernel has taken. */
  write(data: Uint8Array): number;
  end(): void;
}

interface SocketHandler {
  open(socket: BunSocket): void;
  data(socket: BunSocket, data: Uint8Array): void;
  /** The kernel takes octets again. */
  drain(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** By Bun's own sockets. */
export function createBunExchange(bun: Pick<BunApi, "connect">): Exchange {
  return async (socketPath, request, { timeoutMs }) => {
    let rest: Uint8Array = new TextEncoder().encode(request);
    const send = (socket: BunSocket): void => {
      rest = rest.subarray(socket.write(rest));
    };
    const decoder = new TextDecoder();
    let answer = "";
    const { promise: closed, resolve, reject } = Promise.withResolvers<undefined>();
    const connected = bun.connect({
      unix: socketPath,
      socket: {
        open: send,
        drain: send,
        data(_socket, data) {
          answer += decoder.decode(data, { stream: true });
        },
        close(_socket, error) {
          if (error === undefined) resolve(undefined);
          else reject(error);
        },
        error(_socket, error) {
          reject(error);
        },
      },
    });
    const socket = await connected.catch((cause: unknown) => {
      throw withCode(cause);
    });
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    try {
      await closed;
      return answer;
    } finally {
      clearTimeout(timer);
      socket.end();
    }
  };
}

/** Bun keeps the system's word out of the message. */
function withCode(cause: unknown): unknown {
  if (!(cause instanceof Error && "code" in cause)) return cause;
  return new Error(`${cause.message}: ${String(cause.code)}`, { cause });
}
