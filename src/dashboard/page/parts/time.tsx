// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";
import type { JSX } from "preact";

const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

/** How long ago it was, `12 s`, `3 min`, `5 h`, `2 d`. */
export function Since({ ms }: { readonly ms: number }): JSX.Element {
  const seconds = Math.max(0, Math.round((now.value - ms) / 1000));
  return <time dateTime={new Date(ms).toISOString()}>{formatSpan(seconds)}</time>;
}

function formatSpan(seconds: number): string {
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** `14:03:27`, as the clock here has it. */
export function Clock({ ms }: { readonly ms: number }): JSX.Element {
  const at = new Date(ms);
  return <time dateTime={at.toISOString()}>{at.toLocaleTimeString("en-GB")}</time>;
}
