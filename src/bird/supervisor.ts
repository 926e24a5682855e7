// SPDX-License-Identifier: Apache-2.0
import { mkdir, rename, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { abortable, Turns } from "../system/abortable.ts";
import type { Clock } from "../system/clock.ts";
import { describeError, type Log } from "../system/log.ts";
import type { ProcessRunner } from "../system/process.ts";
import type { Bird, BirdStatus, ConfigureResult, StopOptions } from "./bird.ts";
import type { WaitOptions } from "./connection.ts";
import { BirdControl } from "./control.ts";
import {
  birdFiles,
  checkConfig,
  clearDaemon,
  type DaemonContext,
  findDaemon,
  readIfThere,
  startDaemon,
} from "./daemon.ts";
import { BirdError } from "./error.ts";

export interface BirdCollaborators {
  readonly processes: ProcessRunner;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BirdOptions {
  /** Holds the files of {@link birdFiles}; made where it is missing. Gone after a reboot, as /run is. */
  readonly directory: string;
  /** @default "bird" */
  readonly binary?: string;
}

/** A BIRD in the network namespace that `processes` starts programs in. Nothing happens before the first call. */
export function createBird(collaborators: BirdCollaborators, options: BirdOptions): Bird {
  return new Supervisor(collaborators, options);
}

/** BIRD that ends again within this time counts as never having come up. */
const STABLE_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
/** Between two looks at a BIRD that goes on talking. */
const LONGEST_REST_MS = 2000;

class Supervisor implements Bird {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #context: DaemonContext;
  readonly #directory: string;
  readonly #listeners = new Set<(status: BirdStatus) => void>();
  readonly #lifetime = new AbortController();
  /** Starting, configuring and stopping never overlap. */
  readonly #turns = new Turns();
  readonly #refreshes = new Turns();
  #status: BirdStatus = { kind: "stopped" };
  #control: BirdControl | undefined;
  /** Set once BIRD was asked to end: then the end of the connection is nothing to mend. */
  #isEnding = false;
  #connectedAtMs = 0;
  #failures = 0;
  /** Set while a refresh waits for its turn: it will see whatever happens until then. */
  #pendingRefresh: Promise<void> | undefined;
  /** Whether BIRD has said something that was not followed by a look at it. */
  #hasNews = false;
  #isHeeding = false;
  #revival: Promise<void> = Promise.resolve();

  constructor({ processes, clock, log }: BirdCollaborators, { directory, binary = "bird" }: BirdOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#directory = directory;
    this.#context = { processes, clock, binary, files: birdFiles(directory) };
  }

  configure(text: string, options: WaitOptions = {}): Promise<ConfigureResult> {
    return this.#exclusive(options, (signal) => this.#configure(text, signal));
  }

  check(text: string, options: WaitOptions = {}): Promise<string | undefined> {
    return this.#exclusive(options, async (signal) => {
      await this.#writeCandidate(text);
      return checkConfig(this.#context, signal);
    });
  }

  adopt(options: WaitOptions = {}): Promise<boolean> {
    return this.#exclusive(options, (signal) => this.#adopt(signal));
  }

  refillKernel(options: WaitOptions = {}): Promise<void> {
    return this.#exclusive(options, async (signal) => {
      await this.#control?.refillKernel({ signal });
    });
  }

  status(): BirdStatus {
    return this.#status;
  }

  async refresh({ signal }: WaitOptions = {}): Promise<BirdStatus> {
    await abortable(this.#refresh(), signal);
    return this.#status;
  }

  onChange(listener: (status: BirdStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  stop({ as = "goodbye", ...options }: StopOptions = {}): Promise<void> {
    return this.#exclusive(options, (signal) => this.#stop(as, signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lifetime.abort(new BirdError("unavailable", "Cannot go on with BIRD: its supervision ended"));
    await this.#turns.idle();
    await this.#revival;
    await this.#control?.[Symbol.asyncDispose]();
    this.#control = undefined;
    await this.#refreshes.idle();
  }

  #exclusive<T>({ signal }: WaitOptions, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal: lifetime } = this.#lifetime;
    const either = signal === undefined ? lifetime : AbortSignal.any([signal, lifetime]);
    return this.#turns.take(() => task(either), either);
  }

  async #configure(text: string, signal: AbortSignal): Promise<ConfigureResult> {
    const { files } = this.#context;
    const isRunning = await this.#adopt(signal);
    if (isRunning && (await readIfThere(files.config)) === text) return { kind: "unchanged" };
    await this.#writeCandidate(text);
    // One that runs checks it by itself, and goes on as before where it refuses.
    if (isRunning) return this.#reconfigure(signal);
    const complaint = await checkConfig(this.#context, signal);
    return complaint === undefined ? this.#start(signal) : { kind: "refused", message: complaint };
  }

  async #writeCandidate(text: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    // It may hold passwords.
    await writeFile(this.#context.files.candidate, text, { mode: 0o600 });
  }

  async #reconfigure(signal: AbortSignal): Promise<ConfigureResult> {
    const { files } = this.#context;
    const result = await this.#running().configure(files.candidate, { signal });
    if (result.kind === "refused") return result;
    // Only now: whoever adopts this BIRD takes the file for what it runs with.
    await rename(files.candidate, files.config);
    await abortable(this.#refresh(), signal);
    return { kind: "reconfigured" };
  }

  async #start(signal: AbortSignal): Promise<ConfigureResult> {
    const { files } = this.#context;
    await rename(files.candidate, files.config);
    // After a sudden death peers and kernel still have the routes; after an orderly end there is nothing to recover.
    const recover = (await clearDaemon(this.#context, signal)).kind !== "none";
    await startDaemon(this.#context, { recover }, signal);
    await this.#connect(signal);
    this.#log.info("Started BIRD", { recover });
    return { kind: "started" };
  }

  async #stop(as: "goodbye" | "restart", signal: AbortSignal): Promise<void> {
    if (await this.#adopt(signal)) {
      this.#isEnding = true;
      const control = this.#running();
      await (as === "restart" ? control.leave({ signal }) : control.shutDown({ signal }));
    }
    await clearDaemon(this.#context, signal);
    // Its end may not have been heard of yet: nobody is to be given a connection that is about to break.
    await this.#control?.[Symbol.asyncDispose]();
    this.#control = undefined;
    this.#enter({ kind: "stopped" });
  }

  /** Whether BIRD runs; takes up the connection to one that an earlier agent left. */
  async #adopt(signal: AbortSignal): Promise<boolean> {
    if (this.#control !== undefined) return true;
    try {
      await this.#connect(signal);
    } catch (error) {
      if (error instanceof BirdError && error.code === "unavailable" && !signal.aborted) return false;
      throw error;
    }
    this.#log.info("Found BIRD running");
    return true;
  }

  async #connect(signal: AbortSignal): Promise<void> {
    const { files } = this.#context;
    const onLog = (line: string): void => {
      this.#log.debug("BIRD says", { line });
      void this.#heed();
    };
    const onClose = (error: BirdError): void => {
      if (this.#control === control) this.#lose(error);
    };
    const control: BirdControl = await BirdControl.connect(files.socket, { onLog, onClose }, { signal });
    this.#control = control;
    this.#isEnding = false;
    this.#connectedAtMs = this.#clock.now();
    await abortable(this.#refresh(), signal);
  }

  #running(): BirdControl {
    if (this.#control === undefined) throw new BirdError("unavailable", "Cannot ask BIRD: it does not run");
    return this.#control;
  }

  /** BIRD ended, or no longer makes sense. */
  #lose(error: BirdError): void {
    this.#control = undefined;
    if (this.#isEnding) {
      this.#enter({ kind: "stopped" });
      return;
    }
    if (this.#clock.now() - this.#connectedAtMs >= STABLE_MS) this.#failures = 0;
    this.#log.warn("Lost BIRD; starting it again", { error });
    this.#enter({ kind: "restarting", lastError: describeError(error) });
    this.#revival = this.#revival.then(() => this.#revive());
  }

  async #revive(): Promise<void> {
    const { signal } = this.#lifetime;
    while (!signal.aborted && this.#isLost()) {
      try {
        await this.#clock.sleep(retryMs(this.#failures++), { signal });
        await this.#exclusive({}, (signal) => this.#restart(signal));
      } catch (error) {
        // The only other way here is the end of the supervision.
        if (!this.#lifetime.signal.aborted) this.#regret(error);
      }
    }
  }

  #regret(error: unknown): void {
    this.#log.error("Cannot start BIRD again", { error, failures: this.#failures });
    if (this.#isLost()) this.#enter({ kind: "restarting", lastError: describeError(error) });
  }

  #isLost(): boolean {
    return this.#status.kind === "restarting";
  }

  async #restart(signal: AbortSignal): Promise<void> {
    // Someone may have asked for an end or a new start meanwhile.
    if (!this.#isLost() || (await this.#adopt(signal))) return;
    await clearDaemon(this.#context, signal);
    await startDaemon(this.#context, { recover: true }, signal);
    await this.#connect(signal);
    this.#log.info("Started BIRD again", { failures: this.#failures });
  }

  /**
   * Brings the status up to date; never throws. BIRD 2.0.12 needs it for more than that: it forgets to go on when a
   * session has come up or a configuration was loaded, and sends its routes only when something wakes it, three seconds
   * later or by a command (fixed in 2.14: "IO: Fix race condition in event processing").
   */
  #refresh(): Promise<void> {
    this.#pendingRefresh ??= this.#refreshes.take(() => {
      this.#pendingRefresh = undefined;
      return this.#readStatus();
    });
    return this.#pendingRefresh;
  }

  /** BIRD has said something. With many sessions it does so many times in a row: to look takes a tenth of the time at the most. */
  async #heed(): Promise<void> {
    this.#hasNews = true;
    if (this.#isHeeding) return;
    this.#isHeeding = true;
    const { signal } = this.#lifetime;
    while (this.#hasNews && !signal.aborted) {
      this.#hasNews = false;
      const startMs = this.#clock.now();
      await this.#refresh();
      const restMs = 9 * (this.#clock.now() - startMs);
      // The only rejection is the end of the supervision, which is looked for.
      if (restMs > 0)
        await this.#clock.sleep(Math.min(restMs, LONGEST_REST_MS), { signal }).catch(() => undefined);
    }
    this.#isHeeding = false;
  }

  async #readStatus(): Promise<void> {
    const control = this.#control;
    if (control === undefined) return;
    try {
      const [sessions, recovering, daemon] = await Promise.all([
        control.sessions(),
        control.isRecovering(),
        findDaemon(this.#context),
      ]);
      const pid = daemon.kind === "running" ? daemon.pid : undefined;
      if (this.#control === control)
        this.#enter({ kind: "running", pid, version: control.version, sessions, recovering });
    } catch (error) {
      // The end of the connection is told apart; what BIRD says otherwise is better left unread than deadly.
      if (this.#control === control) this.#log.error("Cannot read the status of BIRD", { error });
    }
  }

  #enter(status: BirdStatus): void {
    if (isDeepStrictEqual(status, this.#status)) return;
    this.#status = status;
    for (const listener of this.#listeners) listener(status);
  }
}

/** At once after a long life, then after 100 ms, doubling to ten seconds. */
function retryMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30));
}
