// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** For tests: has the server listen on a socket of the file system, so that no port of the machine is taken, and gives its path. The stack ends it. */
export async function listenForTest(server: Server, stack: AsyncDisposableStack): Promise<string> {
  const directory = stack.use(await mkdtempDisposable(join(tmpdir(), "margay-web-")));
  const path = join(directory.path, "api.sock");
  server.listen(path);
  await once(server, "listening");
  stack.defer(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  return path;
}
