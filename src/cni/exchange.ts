// SPDX-License-Identifier: Apache-2.0
import { connect } from "node:net";
import { text as readText } from "node:stream/consumers";

/** Sends text on a unix socket, and gives all that comes back until the other end closes it. Rejects where nobody listens, and where nothing comes for so long. */
export type Exchange = (
  socketPath: string,
  request: string,
  options: { readonly timeoutMs: number },
) => Promise<string>;

/** By Node's own sockets. */
export const exchange: Exchange = async (socketPath, request, { timeoutMs }) => {
  const socket = connect({ path: socketPath });
  socket.setTimeout(timeoutMs, () => {
    socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`));
  });
  try {
    socket.write(request);
    return await readText(socket);
  } finally {
    socket.destroy();
  }
};
