// SPDX-License-Identifier: Apache-2.0
import type { Known } from "../observation.ts";

/** What comes of a question, or why nothing does. Rejects with the signal's reason alone. */
export async function ask<T>(
  question: (signal: AbortSignal) => Promise<T>,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs?: number },
): Promise<Known<T>> {
  const limit = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  try {
    const limited = limit === undefined ? signal : AbortSignal.any([signal, limit]);
    return { kind: "known", value: await question(limited) };
  } catch (error) {
    signal.throwIfAborted();
    const isLate = limit?.aborted === true;
    return { kind: "unknown", reason: isLate ? `no answer in ${timeoutMs} ms` : messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
