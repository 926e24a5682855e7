// SPDX-License-Identifier: Apache-2.0
// Run by tests inside namespaces. `receive <port>` prints the text of every UDP datagram, a line each; `send <from> <to> <port> <hex>` sends
// one from an address that the namespace has.
import { createSocket } from "node:dgram";
import { once } from "node:events";

const [mode, ...rest] = process.argv.slice(2);
const socket = createSocket("udp4");
if (mode === "receive") {
  socket.on("message", (message) => {
    console.log(message.toString());
  });
  socket.bind(Number(rest[0]), "0.0.0.0");
  await once(socket, "listening");
  console.log("ready");
} else {
  const [from = "", to = "", port = "", hex = ""] = rest;
  socket.bind(0, from);
  await once(socket, "listening");
  await new Promise<void>((resolve, reject) => {
    socket.send(Buffer.from(hex, "hex"), Number(port), to, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  socket.close();
}
