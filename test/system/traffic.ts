// SPDX-License-Identifier: Apache-2.0
// Traffic between namespaces, and what is seen of it on the way.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "./patience.ts";

export const STREAM = fileURLToPath(new URL("./stream.ts", import.meta.url));

/** Begins to listen on a namespace's `eth0`; gives the text of so many packets. */
export async function capture(
  namespace: string,
  count: number,
  filter: string,
): Promise<() => Promise<string>> {
  const args = ["netns", "exec", namespace, "tcpdump", "-lnv", "-i", "eth0", "-c", String(count), filter];
  const child = spawn("ip", args, { stdio: ["ignore", "pipe", "pipe"], timeout: PATIENCE_MS });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  const closed = once(child, "close");
  await once(child.stderr, "data");
  return async () => {
    await closed;
    return text;
  };
}

/** A program that takes what `stream.ts` sends. */
export interface Receiver extends AsyncDisposable {
  /** The next line that it prints. */
  line(): Promise<string>;
}

export async function startReceiver(namespace: string): Promise<Receiver> {
  const args = ["netns", "exec", namespace, process.execPath, STREAM, "receive"];
  const child: ChildProcess = spawn("ip", args, { stdio: ["ignore", "pipe", "inherit"] });
  const output = child.stdout ?? assert.fail();
  output.setEncoding("utf8");
  const line = async (): Promise<string> => {
    const [text] = (await once(output, "data", { signal: AbortSignal.timeout(PATIENCE_MS) })) as [string];
    return text.trim();
  };
  assert.equal(await line(), "ready");
  const ended = once(child, "close");
  return {
    line,
    // Until then it has the port.
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}
