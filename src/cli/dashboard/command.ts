// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_LAB, createLayout } from "../../lab/layout.ts";
import { systemClock } from "../../system/clock.ts";
import { AGENT_SOCKET } from "../../system/run-directory.ts";
import type { CommandContext } from "../context.ts";
import { openNamedLab } from "../lab-options.ts";
import { print } from "../print.ts";
import { type ServedDashboard, serveLab, serveNode } from "./serve.ts";

const DAY_MS = 86_400_000;
const MOST_PORT = 65_535;

interface DashboardOptions {
  readonly lab?: string;
  readonly socket?: string;
  readonly port?: number;
  readonly json?: boolean;
}

export function createDashboardCommand({ signal }: CommandContext): Command {
  return new Command("dashboard")
    .description("serve a page that shows the network as it lives, on 127.0.0.1, until Ctrl-C")
    .option("--lab <lab>", `of a whole lab (default: "${DEFAULT_LAB}", if it is up)`)
    .addOption(
      new Option(
        "--socket <path>",
        `of the node whose agent listens there (default: "${AGENT_SOCKET}")`,
      ).conflicts("lab"),
    )
    .option("--port <number>", "where to serve it (default: 9180, or any that is free)", portNumber)
    .option("--json", "print JSON")
    .action(async (options: DashboardOptions) => {
      await using dashboard = await open(options);
      const { url } = dashboard;
      print(options, { url }, () => `${url}\nCtrl-C ends it.`);
      // A signal handler alone does not keep the process alive.
      while (!signal.aborted) await systemClock.sleep(DAY_MS, { signal }).catch(() => undefined);
    });
}

async function open({ lab, socket, port }: DashboardOptions): Promise<ServedDashboard> {
  const isLab =
    socket === undefined && (lab !== undefined || existsSync(createLayout(DEFAULT_LAB).stateFile));
  if (isLab) return await serveLab(openNamedLab({ name: lab ?? DEFAULT_LAB }), { port });
  return await serveNode(socket ?? AGENT_SOCKET, { port });
}

function portNumber(text: string): number {
  const value = /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
  if (value >= 1 && value <= MOST_PORT) return value;
  throw new InvalidArgumentError(`want 1 to ${MOST_PORT}`);
}
