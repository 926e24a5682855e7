// SPDX-License-Identifier: Apache-2.0
// Run by tests inside namespaces. `receive` prints what came over one TCP connection, as its length and hash, and the lengths of
// ten datagrams; `tcp <address> <mebibytes>` sends, and prints the same; `trickle <address>` does so bit by bit until it is told to stop,
// for a minute at the most; `udp <address> <length>` sends ten datagrams in one go.
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type Socket, connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { setsockopt } from "../../src/dataplane/netlink/syscalls.ts";
import { PATIENCE_MS } from "./patience.ts";

const PORT = 7008;
const DATAGRAMS = 10;
// linux/udp.h: #define UDP_SEGMENT 103; netinet/in.h: SOL_UDP is IPPROTO_UDP.
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const [mode, address = "", size = ""] = process.argv.slice(2);

if (mode === "receive") await receive();
else if (mode === "trickle") await trickle();
else if (mode === "tcp") await sendStream(Number(size));
else await sendDatagrams(Number(size));

async function receive(): Promise<void> {
  const udp = createSocket("udp4").bind(PORT, "0.0.0.0");
  const tcp = createServer().listen(PORT);
  await Promise.all([once(udp, "listening"), once(tcp, "listening")]);
  const lengths: number[] = [];
  udp.on("message", ({ length }) => {
    if (lengths.push(length) === DATAGRAMS) console.log(lengths.join(" "));
  });
  tcp.on("connection", (socket: Socket) => {
    const hash = createHash("sha256");
    socket.on("data", (bytes) => hash.update(bytes));
    socket.on("end", () => {
      console.log(`${socket.bytesRead} ${hash.digest("hex")}`);
    });
  });
  console.log("ready");
}

async function sendStream(mebibytes: number): Promise<void> {
  const socket = connect({ port: PORT, host: address });
  const hash = createHash("sha256");
  const chunk = Buffer.alloc(1024 * 1024);
  for (let index = 0; index < mebibytes; index++) {
    chunk.fill(`${index} of this stream, `);
    hash.update(chunk);
    if (!socket.write(Buffer.from(chunk))) await once(socket, "drain");
  }
  socket.end();
  await once(socket, "close");
  console.log(`${socket.bytesWritten} ${hash.digest("hex")}`);
}

async function trickle(): Promise<void> {
  const socket = connect({ port: PORT, host: address });
  const hash = createHash("sha256");
  const told = new AbortController();
  process.once("SIGTERM", () => {
    told.abort();
  });
  const stop = AbortSignal.any([told.signal, AbortSignal.timeout(PATIENCE_MS)]);
  await once(socket, "connect");
  console.log("connected");
  for (let index = 0; !stop.aborted; index++) {
    const piece = `${index} of this stream, `.repeat(50);
    hash.update(piece);
    if (!socket.write(piece)) await once(socket, "drain");
    await delay(5);
  }
  socket.end();
  await once(socket, "close");
  console.log(`${socket.bytesWritten} ${hash.digest("hex")}`);
}

/** The kernel cuts the one large packet into datagrams as late as it can. */
async function sendDatagrams(length: number): Promise<void> {
  const udp = createSocket("udp4").bind();
  await once(udp, "listening");
  for (const fd of readdirSync("/proc/self/fd")) trySegment(Number(fd), length);
  udp.send(Buffer.alloc(DATAGRAMS * length), PORT, address, () => udp.close());
}

/** Node does not tell the descriptor of a socket; no other descriptor has the option. */
function trySegment(fd: number, length: number): void {
  try {
    setsockopt(fd, SOL_UDP, UDP_SEGMENT, length);
  } catch {
    return;
  }
}
