// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { type InstallOptions, type InstallTools, installNode } from "../../install/install.ts";
import { SERVICE } from "../../install/layout.ts";
import type { Step } from "../../install/plan.ts";
import { readRecord } from "../../install/record.ts";
import { isSystemdRunning, reloadUnits } from "../../install/service.ts";
import { type NodeName, parseNodeName } from "../../model/name.ts";
import { systemProcesses } from "../../system/process.ts";
import type { CommandContext } from "../context.ts";
import { CommandError } from "../exit.ts";
import { print } from "../print.ts";
import { renderSteps } from "./install-steps.ts";

const PACKAGE = new URL("../../../", import.meta.url);

interface Options {
  readonly root: string;
  readonly nodeName?: NodeName;
  readonly cniBinDir?: string;
  readonly cniConfigDir?: string;
  /** What follows our plugin; `false` for nothing. */
  readonly chain?: readonly string[] | false;
  readonly program?: string;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
}

/** What is gone by again when it is not given anew. */
type Places = Pick<InstallOptions, "cniBinDirectory" | "cniConfigDirectory" | "chain">;

export function createInstallCommand({ signal }: CommandContext): Command {
  const command = new Command("install")
    .description("make this machine a node: plugin, network, service; may be repeated")
    .option("--root <directory>", "the file system of the node, if it is not this machine's", absolute, "/")
    .option(
      "--node-name <name>",
      "in the agent's first configuration; the host's name unless given",
      nodeName,
    )
    .option("--cni-bin-dir <directory>", "where runtimes look for plugins (default: /opt/cni/bin)", absolute)
    .option(
      "--cni-config-dir <directory>",
      "where runtimes look for networks (default: /etc/cni/net.d)",
      absolute,
    )
    .option("--chain <plugin...>", "plugins after Margay's (default: portmap, bandwidth)")
    .option("--no-chain", "no plugin after Margay's")
    .option("--program <path>", "the margay that the service runs; this one unless given", absolute)
    .option("--overwrite", "also replace what others have written or changed")
    .option("--dry-run", "only say what would be done");
  return command.action(async () => {
    const options = command.optsWithGlobals<Options & { json?: boolean }>();
    const { dryRun = false, root } = options;
    const tools: InstallTools = { processes: systemProcesses, signal };
    const steps = await installNode(
      {
        ...(await placesOf(options)),
        root,
        nodeName: options.nodeName ?? ownName(),
        program: options.program ?? fileURLToPath(new URL("bin/margay", PACKAGE)),
        plugin: pluginExecutable(),
        overwrite: options.overwrite ?? false,
        dryRun,
      },
      tools,
    );
    const isHere = root === "/" && !dryRun;
    if (isHere && isSystemdRunning()) await reloadUnits(tools);
    print(options, { steps, dryRun }, () => render(steps, dryRun));
  });
}

/** As given now, else as at the last installation, else as usual. */
async function placesOf({ root, cniBinDir, cniConfigDir, chain }: Options): Promise<Places> {
  const last = (await readRecord(root))?.options;
  return {
    cniBinDirectory: cniBinDir ?? last?.cniBinDirectory ?? "/opt/cni/bin",
    cniConfigDirectory: cniConfigDir ?? last?.cniConfigDirectory ?? "/etc/cni/net.d",
    chain: (chain === false ? [] : chain) ?? last?.chain ?? ["portmap", "bandwidth"],
  };
}

function pluginExecutable(): string {
  const path = fileURLToPath(new URL(`dist/margay-cni-${process.arch}`, PACKAGE));
  if (existsSync(path)) return path;
  throw new CommandError(
    "failed",
    `Cannot install: there is no plugin "${path}"; make it with "npm run build"`,
  );
}

function ownName(): NodeName {
  try {
    return parseNodeName(hostname().toLowerCase());
  } catch (cause) {
    throw new CommandError("invalid", `Cannot name the node after its host: use --node-name`, { cause });
  }
}

function render(steps: readonly Step[], dryRun: boolean): string {
  const lines = renderSteps(steps, { dryRun });
  const next = [
    "Next:",
    "  1. look at /etc/margay/agent.yaml",
    "  2. sysctl --system",
    `  3. systemctl enable --now ${SERVICE}`,
    "  4. margay node status",
  ];
  return [...lines, ...(dryRun ? [] : next)].join("\n");
}

function absolute(text: string): string {
  return resolve(text);
}

function nodeName(text: string): NodeName {
  try {
    return parseNodeName(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}
