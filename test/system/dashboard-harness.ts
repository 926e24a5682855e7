// SPDX-License-Identifier: Apache-2.0
// `margay dashboard`, as users start it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { MARGAY, succeed } from "./harness.ts";

const BUILD = fileURLToPath(new URL("../../scripts/build-dashboard.ts", import.meta.url));

export async function buildPage(): Promise<void> {
  await succeed(process.execPath, [BUILD]);
}

export interface Dashboard extends AsyncDisposable {
  /** With the token. */
  readonly url: string;
}

/** Serves a lab's dashboard, and ends it when disposed. */
export async function startDashboard(lab: string): Promise<Dashboard> {
  const child = spawn(MARGAY, ["dashboard", "--lab", lab, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  let text = "";
  for await (const line of createInterface(child.stdout)) {
    text += line;
    if (line.startsWith("}") || /\}\s*$/.test(text)) break;
  }
  const { url } = JSON.parse(text) as { readonly url?: string };
  return {
    url: url ?? assert.fail(`no address in ${text}`),
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await ended;
    },
  };
}
