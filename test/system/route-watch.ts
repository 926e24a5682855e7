// SPDX-License-Identifier: Apache-2.0
// What a host's kernel tells of its routes, from a moment that is certain to one that is.
import { once } from "node:events";
import { type Lab, eventually } from "./harness.ts";

/** Notes the routes that a host's kernel tells of as deleted. */
export interface RouteWatch extends AsyncDisposable {
  /** The destinations of all deletions up to now. */
  deleted(): Promise<readonly string[]>;
}

export async function watchRoutes(lab: Lab, host: string): Promise<RouteWatch> {
  const monitor = lab.start(host, "ip", "-oneline", "monitor", "route");
  const ended = once(monitor, "close");
  let told = "";
  let marks = 0;
  monitor.stdout?.setEncoding("utf8").on("data", (text: string) => (told += text));
  /** Resolves once the monitor has told of a route of ours, and so of all before it; until it has subscribed, it tells of none. */
  const reach = async (): Promise<void> => {
    await eventually(async () => {
      const mark = `198.18.${++marks >> 8}.${marks & 255}`;
      for (const verb of ["add", "del"]) await lab.exec(host, "ip", "route", verb, "blackhole", mark);
      return told.includes(`Deleted blackhole ${mark} `);
    }, `word from the monitor on ${host}`);
  };
  await reach();
  return {
    async deleted() {
      await reach();
      const lines = told.split("\n").filter((line) => line.startsWith("Deleted "));
      const destinations = lines.map(
        (line) => line.replace(/^Deleted (blackhole )?/, "").split(" ")[0] ?? "",
      );
      return destinations.filter((dst) => !dst.startsWith("198.18."));
    },
    async [Symbol.asyncDispose]() {
      monitor.kill();
      await ended;
    },
  };
}
