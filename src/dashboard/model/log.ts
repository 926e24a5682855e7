// SPDX-License-Identifier: Apache-2.0
import type { LogEvent } from "../../web/view/view.ts";

/** How many lines are kept, as many as the server has. */
export const LOG_LENGTH = 500;

/** The log with one more line, the newest last. A line that is told again, after the connection was lost, stands once. */
export function addEvent(log: readonly LogEvent[], event: LogEvent): readonly LogEvent[] {
  if (log.some(({ id }) => id === event.id)) return log;
  const last = log.at(-1);
  const longer =
    last === undefined || last.atMs <= event.atMs
      ? [...log, event]
      : [...log, event].sort((a, b) => a.atMs - b.atMs);
  return longer.slice(-LOG_LENGTH);
}
