// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import type { Lab } from "../lab/lab.ts";
import { renderMatrix } from "../lab/matrix.ts";
import { renderHints, renderRoutes, renderStatus } from "../lab/report.ts";
import { systemClock } from "../system/clock.ts";
import { systemProcesses } from "../system/process.ts";
import type { CommandContext } from "./context.ts";
import { type LabOptions, type MakeOptions, addMakeOptions, openNamedLab } from "./lab-options.ts";
import { print } from "./print.ts";

const DAY_MS = 86_400_000;

interface RunOptions extends MakeOptions {
  readonly once?: boolean;
}

/** What `npm start` calls: a lab that lasts as long as the command. */
export function createRunCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("run")
    .description("build the lab, show who reaches whom, and remove it on Ctrl-C")
    .option("--once", "remove it right after the report; fails if a pair failed");
  return addMakeOptions(command).action(async ({ once, topology, ...modes }: RunOptions) => {
    const options = command.optsWithGlobals<LabOptions>();
    const lab = openNamedLab(options);
    const id = await lab.up({ topologyFile: topology, ...modes, mustBeNew: true, signal });
    try {
      const ok = await report(lab, options, signal);
      if (!ok) exitWith(1);
      if (once !== true) await showUntilStopped(lab, options, signal);
    } finally {
      // Asked to stop or not, the lab is removed; and only this one, should someone have made another of its name.
      await lab.down({ id, signal: new AbortController().signal });
    }
  });
}

async function report(lab: Lab, options: LabOptions, signal: AbortSignal): Promise<boolean> {
  const check = await lab.check({ signal });
  const status = await lab.status();
  const routes = await renderRoutes(systemProcesses, status, { signal });
  print(options, { status, check }, () =>
    ["", renderStatus(status), "", renderMatrix(check), "", routes, ""].join("\n"),
  );
  return check.ok;
}

async function showUntilStopped(lab: Lab, options: LabOptions, signal: AbortSignal): Promise<void> {
  const hints = renderHints(await lab.status(), lab.name, "bin/margay");
  // Whoever only wants the report does not wait for it to be loaded.
  const { serveLab } = await import("./dashboard/serve.ts");
  await using dashboard = await serveLab(lab, {});
  const see = `See it in a browser of this machine:\n  ${dashboard.url}`;
  process.stderr.write(`${hints}\n\n${see}\n\nCtrl-C removes the lab.\n`);
  // A signal handler alone does not keep the process alive.
  while (!signal.aborted) await systemClock.sleep(DAY_MS, { signal }).catch(() => undefined);
}
