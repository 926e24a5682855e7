// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { Conditions } from "../system/conditions.ts";

/** A program that speaks as BIRD 2.0.12 does on its control socket, for tests without root. */
export interface FakeBird extends AsyncDisposable {
  /** Every command so far, from all connections, but for `echo`. */
  readonly commands: readonly string[];
  /** Resolves once this command came in. */
  heard(command: string): Promise<void>;
  /** Sends a line of its log to everyone. */
  say(line: string): void;
  /** Sends the text as it is to everyone. */
  send(text: string): void;
  /** Ends as by a kill: the socket stays behind and nobody listens. */
  die(): Promise<void>;
}

/** What a fake answers, by command; `undefined` keeps it waiting for ever. */
export type FakeAnswers = Readonly<Record<string, string | undefined>>;

const ANSWERS: FakeAnswers = {
  "echo all 65536": "0000 \n",
  "show protocols all": "2002-Name       Proto      Table      State  Since         Info\n0000 \n",
  "show status": "1000-BIRD 2.0.12\n0013 Daemon is up and running\n",
  down: "0007 Shutdown requested\n",
  "graceful restart": "0025 Graceful restart requested\n",
};

/** Listens at `path`, with other answers than the real ones where `answers` has them. */
export async function startFakeBird(path: string, answers: FakeAnswers = {}): Promise<FakeBird> {
  const all = { ...ANSWERS, ...answers };
  const sockets = new Set<Socket>();
  const commands: string[] = [];
  const heard = new Conditions();
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // Whoever tests may leave at any moment.
    socket.on("error", () => undefined);
    socket.write("0001 BIRD 2.0.12 ready.\n");
    const lines = createInterface({ input: socket });
    // It passes the socket's errors on.
    lines.on("error", () => undefined);
    lines.on("line", (command) => {
      if (!command.startsWith("echo")) commands.push(command);
      heard.check();
      const answer =
        command in all ? (all[command] ?? "") : "9001 syntax error, unexpected CF_SYM_UNDEFINED\n";
      if (socket.writable) socket.write(answer);
      if (command === "down" || command === "graceful restart") void die(server, sockets);
    });
  });
  server.listen(path);
  await once(server, "listening");
  const send = (text: string): void => {
    for (const socket of sockets) socket.write(text);
  };
  return {
    commands,
    heard: (command) => heard.until(() => commands.includes(command), new AbortController().signal),
    send,
    say: (line) => {
      send(`+${line}\n`);
    },
    die: () => die(server, sockets),
    [Symbol.asyncDispose]: () => die(server, sockets),
  };
}

async function die(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  for (const socket of sockets) socket.destroySoon();
  await closed;
}
