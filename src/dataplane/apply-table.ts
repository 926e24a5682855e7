// SPDX-License-Identifier: Apache-2.0
import type { Kind } from "../desired/wanted.ts";
import type { Kernel } from "./kernel.ts";
import { KernelError } from "./netlink/kernel-error.ts";
import type { Plan } from "./plan.ts";
import type { ReconcileTable } from "./table.ts";

/** How the objects of one kind are brought to what is wanted. */
export interface Means<W, S, R> {
  readonly kind: Kind;
  readonly table: ReconcileTable<W, S>;
  readonly plan: (key: string) => Plan<S, R>;
  /** Keys that are to be looked at now; others wait. @default all */
  readonly only?: (key: string) => boolean;
  /** Carries the requests out in their order, and gives what came of each; `undefined` is success. */
  readonly execute: (requests: readonly R[]) => Promise<readonly (Error | undefined)[]>;
}

/** Something that can be asked for, and said in a log. */
export interface Request {
  /** What it does, as error texts say it after "Cannot". */
  readonly description: string;
}

/** Plans every key that may differ, and carries the steps out in one batch. */
export async function applyTable<W, S, R extends Request>(
  { kind, table, plan, only, execute }: Means<W, S, R>,
  kernel: Pick<Kernel, "clock" | "log">,
): Promise<void> {
  const steps: Step<S, R>[] = [];
  const keyedPlans = table.takeDirty(kernel.clock.now(), only).map((key) => [key, plan(key)] as const);
  for (const [key, next] of keyedPlans) {
    switch (next.kind) {
      case "done":
        table.done(key);
        break;
      case "blocked":
        table.block(key, next.reason);
        break;
      case "later":
        table.postpone(key, next.atMs);
        break;
      case "create":
      case "change":
      case "remove": {
        const after = next.kind === "change" ? next.after : undefined;
        steps.push({ key, kind: next.kind, requests: next.requests, before: table.seen(key), after });
        // Expected before it is asked for, so that whatever event comes meanwhile has the last word.
        table.expect(key, after);
        break;
      }
    }
  }
  if (steps.length === 0) return;
  const results = await execute(steps.flatMap(({ requests }) => requests));
  let next = 0;
  for (const step of steps) {
    const errors = results.slice(next, (next += step.requests.length));
    conclude(kind, table, step, errors, kernel);
  }
}

interface Step<S, R> {
  readonly key: string;
  readonly kind: "create" | "change" | "remove";
  readonly requests: readonly R[];
  readonly before: S | undefined;
  readonly after: S | undefined;
}

function conclude<W, S, R extends Request>(
  kind: Kind,
  table: ReconcileTable<W, S>,
  { key, kind: verb, requests, before, after }: Step<S, R>,
  errors: readonly (Error | undefined)[],
  { clock, log }: Pick<Kernel, "clock" | "log">,
): void {
  // To remove what is no longer there is to have succeeded.
  const error = errors.find((found) => found !== undefined && !(verb === "remove" && isGone(found)));
  if (error === undefined) {
    table.changed(key);
    for (const { description } of requests) log.debug(description, { kind, key });
    return;
  }
  if (table.seen(key) === after) table.expect(key, before);
  const fault = table.fail(key, error.message, clock.now());
  // One refusal may be the echo of an event that is still under way.
  if (fault.attempts > 1) log.warn(error.message, { kind, key, attempts: fault.attempts });
}

const GONE: readonly string[] = ["ESRCH", "ENOENT", "ENODEV", "EADDRNOTAVAIL"];

function isGone(error: Error): boolean {
  return error instanceof KernelError && GONE.includes(error.code);
}

/** What came of an action, in the way that {@link Means.execute} tells it. */
export async function failureOf(action: () => void | Promise<void>): Promise<Error | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
