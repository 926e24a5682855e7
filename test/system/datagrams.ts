// SPDX-License-Identifier: Apache-2.0
// Run by tests inside namespaces. `receive <port>` prints the text of every UDP datagram, a line each, and `senders <port>` before it the address
// and port that it came from; `send <from> <to> <port> <hex> [<source port>]` sends one from an address that the namespace has.
import { type Socket, createSocket } from "node:dgram";
import { once } from "node:events";

const [mode, ...rest] = process.argv.slice(2);
if (mode === "send") await send(rest);
else await receive(Number(rest[0]), mode === "senders");

/** Of both families. */
async function receive(port: number, isNamingSenders: boolean): Promise<void> {
  const sockets = [createSocket("udp4"), createSocket({ type: "udp6", ipv6Only: true })];
  for (const socket of sockets) {
    socket.on("message", (message, { address, port: from }) => {
      console.log(isNamingSenders ? `${address} ${from} ${message.toString()}` : message.toString());
    });
    socket.bind(port);
  }
  await Promise.all(sockets.map((socket) => once(socket, "listening")));
  console.log("ready");
}

async function send([from = "", to = "", port = "", hex = "", sourcePort = "0"]: string[]): Promise<void> {
  const socket: Socket = createSocket(from.includes(":") ? "udp6" : "udp4");
  socket.bind(Number(sourcePort), from);
  await once(socket, "listening");
  await new Promise<void>((resolve, reject) => {
    socket.send(Buffer.from(hex, "hex"), Number(port), to, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  socket.close();
}
