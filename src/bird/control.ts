// SPDX-License-Identifier: Apache-2.0
import { parseBfdSessions } from "./bfd.ts";
import { quote } from "./config/config.ts";
import { type ConnectionOptions, ControlConnection, type WaitOptions } from "./connection.ts";
import { BirdError } from "./error.ts";
import { codeOf, isError, type Reply, textOf } from "./reply.ts";
import { hasBfd, parseRecovery, parseSessions, type Session } from "./sessions.ts";

/** What BIRD made of a configuration file. */
export type Reconfiguration =
  | { readonly kind: "accepted" }
  /** The configuration before it stays in force; `message` is BIRD's. */
  | { readonly kind: "refused"; readonly message: string };

/** The commands that Margay gives a running BIRD. Every one may throw {@link BirdError}. */
export class BirdControl implements AsyncDisposable {
  readonly #connection: ControlConnection;
  /** As in `2.0.12`. */
  readonly version: string;

  private constructor(connection: ControlConnection, version: string) {
    this.#connection = connection;
    this.version = version;
  }

  /** Connects to the BIRD that listens at `path`, and has it send its log along. */
  static async connect(
    path: string,
    options: ConnectionOptions = {},
    wait: WaitOptions = {},
  ): Promise<BirdControl> {
    const { connection, welcome } = await ControlConnection.open(path, options, wait);
    try {
      const control = new BirdControl(connection, parseVersion(welcome));
      // The size of BIRD's buffer for lines that were not read yet, in bytes. What does not fit is lost, and BIRD says so.
      await control.#do("echo all 65536", wait);
      return control;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }

  async sessions(wait?: WaitOptions): Promise<readonly Session[]> {
    const reply = await this.#do("show protocols all", wait);
    const sessions = readable("sessions", () => parseSessions(reply));
    return hasBfd(reply) ? this.#withBfd(sessions, wait) : sessions;
  }

  async #withBfd(sessions: readonly Session[], wait?: WaitOptions): Promise<readonly Session[]> {
    const reply = await this.#connection.command("show bfd sessions", wait);
    // BFD may have left the configuration since it was seen there.
    if (isError(reply)) return sessions;
    const states = readable("BFD sessions", () => parseBfdSessions(reply));
    return sessions.map((session) => ({ ...session, bfd: states.get(session.peer) }));
  }

  /** Whether BIRD was restarted and still waits for its peers. */
  async isRecovering(wait?: WaitOptions): Promise<boolean> {
    return parseRecovery(await this.#do("show status", wait));
  }

  async configure(file: string, wait?: WaitOptions): Promise<Reconfiguration> {
    const reply = await this.#connection.command(`configure ${quote(file)}`, wait);
    if (isError(reply)) return { kind: "refused", message: textOf(reply) };
    // 3: done, 4: under way, 5: waits for the one under way, 17: took the place of one that waited.
    if ([3, 4, 5, 17].includes(codeOf(reply))) return { kind: "accepted" };
    throw new BirdError("refused", `Cannot configure BIRD with "${file}": ${textOf(reply)}`);
  }

  /** Has BIRD give all its routes to the kernel again, in place of what the kernel has or has lost. */
  async refillKernel(wait?: WaitOptions): Promise<void> {
    // BIRD calls the one that has no name `kernel1`; there is one of IPv6 where the node has an address.
    await this.#do('reload out "kernel*"', wait);
  }

  /** Ends BIRD and says goodbye to its peers, which drop its routes at once. */
  async shutDown(wait?: WaitOptions): Promise<void> {
    await this.#do("down", wait);
    await this.#connection.closed(wait);
  }

  /** Ends BIRD as for a restart: peers keep its routes for the graceful restart time. */
  async leave(wait?: WaitOptions): Promise<void> {
    await this.#do("graceful restart", wait);
    await this.#connection.closed(wait);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connection[Symbol.asyncDispose]();
  }

  async #do(command: string, wait?: WaitOptions): Promise<Reply> {
    const reply = await this.#connection.command(command, wait);
    if (isError(reply)) throw new BirdError("refused", `Cannot have BIRD do "${command}": ${textOf(reply)}`);
    return reply;
  }
}

function parseVersion(welcome: Reply): string {
  const [, version] = /^BIRD ([0-9]\S*) ready\.$/.exec(textOf(welcome)) ?? [];
  if (version === undefined || codeOf(welcome) !== 1)
    throw new BirdError("unreadable", `Cannot read BIRD's welcome "${textOf(welcome)}": no version in it`);
  return version;
}

function readable<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new BirdError("unreadable", `Cannot read BIRD's ${what}`, { cause });
  }
}
