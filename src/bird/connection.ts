// SPDX-License-Identifier: Apache-2.0
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { abortable, Turns } from "../system/abortable.ts";
import { BirdError } from "./error.ts";
import { type Reply, ReplyReader } from "./reply.ts";

export interface ConnectionOptions {
  /** Takes a line of BIRD's log, once `echo` asked for them. */
  readonly onLog?: (text: string) => void;
  /** Called once when an open connection has ended or is of no more use; not for a disposal. */
  readonly onClose?: (error: BirdError) => void;
}

export interface WaitOptions {
  readonly signal?: AbortSignal;
}

/** A connection to BIRD's control socket: one command at a time, and BIRD's log in between. */
export class ControlConnection implements AsyncDisposable {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #turns = new Turns();
  readonly #reader = new ReplyReader();
  readonly #ended = Promise.withResolvers<never>();
  #answer = Promise.withResolvers<Reply>();
  #isOpen = false;
  #error: BirdError | undefined;

  private constructor(path: string, socket: Socket, options: ConnectionOptions) {
    this.#path = path;
    this.#socket = socket;
    this.#options = options;
    // Nobody may be waiting when the connection ends.
    this.#ended.promise.catch(() => undefined);
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      this.#read(chunk);
    });
    socket.on("error", (cause) => {
      this.#fail(
        new BirdError("unavailable", `Cannot talk to BIRD at "${path}": ${cause.message}`, { cause }),
      );
    });
    socket.on("close", () => {
      this.#fail(new BirdError("unavailable", `Cannot talk to BIRD at "${path}": it closed the connection`));
    });
  }

  /** Resolves with the connection and BIRD's welcome; throws {@link BirdError} `unavailable` where none listens. */
  static async open(
    path: string,
    options: ConnectionOptions = {},
    { signal }: WaitOptions = {},
  ): Promise<{ readonly connection: ControlConnection; readonly welcome: Reply }> {
    const connection = new ControlConnection(path, createConnection({ path }), options);
    try {
      const welcome = await connection.#turns.take(() => connection.#next(), signal);
      connection.#isOpen = true;
      return { connection, welcome };
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What BIRD answers, whether good or bad. The abort ends the wait, not what BIRD makes of the command. */
  command(text: string, { signal }: WaitOptions = {}): Promise<Reply> {
    if (/[\n\r]/.test(text))
      throw new SyntaxError(`Cannot send ${JSON.stringify(text)} to BIRD: want one line`);
    return this.#turns.take(() => {
      this.#socket.write(`${text}\n`);
      return this.#next();
    }, signal);
  }

  /** Resolves when the connection has ended, from whichever side. */
  async closed({ signal }: WaitOptions = {}): Promise<void> {
    await abortable(
      this.#ended.promise.catch(() => undefined),
      signal,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#error ??= new BirdError("unavailable", `Cannot talk to BIRD at "${this.#path}": disconnected`);
    this.#ended.reject(this.#error);
    if (this.#socket.closed) return;
    this.#socket.destroy();
    await once(this.#socket, "close");
  }

  async #next(): Promise<Reply> {
    const { promise } = this.#answer;
    try {
      return await Promise.race([promise, this.#ended.promise]);
    } finally {
      this.#answer = Promise.withResolvers();
    }
  }

  #read(chunk: string): void {
    try {
      for (const event of this.#reader.push(chunk)) {
        if (event.kind === "log") this.#options.onLog?.(event.text);
        else this.#answer.resolve(event.reply);
      }
    } catch (cause) {
      this.#fail(
        new BirdError("unreadable", `Cannot talk to BIRD at "${this.#path}": no answer of BIRD's`, { cause }),
      );
      this.#socket.destroy();
    }
  }

  #fail(error: BirdError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#ended.reject(error);
    if (this.#isOpen) this.#options.onClose?.(error);
  }
}
