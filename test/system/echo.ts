// SPDX-License-Identifier: Apache-2.0
// Run by tests inside namespaces. `serve` answers on TCP and UDP with the address it was called from; `call <tcp|udp> <address>` prints the answer.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text as readText } from "node:stream/consumers";
import { PATIENCE_MS } from "./patience.ts";

const PORT = 7007;
const [mode, protocol, address] = process.argv.slice(2);

if (mode === "serve") {
  const udp = createSocket("udp4");
  udp.on("message", (_message, peer) => {
    udp.send(peer.address, peer.port, peer.address);
  });
  const tcp = createServer((socket) => socket.end(socket.remoteAddress ?? ""));
  udp.bind(PORT, "0.0.0.0");
  tcp.listen(PORT, "0.0.0.0");
  await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
  console.log("ready");
} else if (protocol === "udp") {
  const udp = createSocket("udp4");
  udp.send("?", PORT, address);
  const [answer] = (await once(udp, "message", { signal: AbortSignal.timeout(PATIENCE_MS) })) as [Buffer];
  console.log(answer.toString());
  udp.close();
} else {
  const socket = connect({ port: PORT, host: address ?? "", timeout: PATIENCE_MS });
  console.log(await readText(socket));
}
