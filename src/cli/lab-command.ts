// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { namespaceOf } from "../lab/lab.ts";
import { DEFAULT_LAB } from "../lab/layout.ts";
import { patientsOf } from "./doctor/lab-patients.ts";
import { renderMatrix } from "../lab/matrix.ts";
import { renderStatus } from "../lab/report.ts";
import { runInNamespace } from "../lab/run-in.ts";
import { systemProcesses } from "../system/process.ts";
import type { CommandContext } from "./context.ts";
import { type LabOptions, type MakeOptions, addMakeOptions, openNamedLab } from "./lab-options.ts";
import { createRunCommand } from "./lab-run-command.ts";
import { renderReport } from "./doctor/render.ts";
import { print } from "./print.ts";

export function createLabCommand(context: CommandContext): Command {
  const lab = new Command("lab")
    .description("networks of hosts and containers in network namespaces of this machine")
    .option("--name <lab>", "which lab", DEFAULT_LAB)
    .option("--json", "print JSON")
    .configureHelp({ showGlobalOptions: true });
  for (const child of [
    createRunCommand(context),
    createUpCommand(context),
    createDownCommand(context),
    createStatusCommand(),
    createCheckCommand(context),
    createDoctorCommand(context),
    createExecCommand(context),
    createIpCommand(),
    createAddCommand(context),
    createRemoveCommand(context),
  ])
    lab.addCommand(child.configureHelp({ showGlobalOptions: true }));
  return lab;
}

function createUpCommand({ signal }: CommandContext): Command {
  const command = new Command("up").description("build the lab, or complete it and apply changed options");
  return addMakeOptions(command).action(async ({ topology, ...modes }: MakeOptions) => {
    const options = command.optsWithGlobals<LabOptions>();
    const lab = openNamedLab(options);
    await lab.up({ topologyFile: topology, ...modes, signal });
    print(options, await lab.status(), renderStatus);
  });
}

function createDownCommand({ signal }: CommandContext): Command {
  const command = new Command("down").description("remove every trace of the lab, whatever state it is in");
  return command.action(async () => {
    const options = command.optsWithGlobals<LabOptions>();
    const removed = await openNamedLab(options).down({ signal });
    print(options, { removed }, () => (removed ? "removed" : `there is no lab "${options.name}"`));
  });
}

function createStatusCommand(): Command {
  const command = new Command("status").description("show hosts, processes, containers and addresses");
  return command.action(async () => {
    const options = command.optsWithGlobals<LabOptions>();
    print(options, await openNamedLab(options).status(), renderStatus);
  });
}

function createCheckCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("check").description(
    "try every ordered pair of containers, and every host to its own; fails if one cannot be reached or is translated",
  );
  return command.action(async () => {
    const options = command.optsWithGlobals<LabOptions>();
    const report = await openNamedLab(options).check({ signal });
    print(options, report, renderMatrix);
    if (!report.ok) exitWith(1);
  });
}

function createDoctorCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("doctor").description(
    "look every host over, and say what to do about what is amiss; fails if there is a fault",
  );
  return command.action(async () => {
    const options = command.optsWithGlobals<LabOptions>();
    // It reads what agents read: other commands of labs start without that.
    const { examine } = await import("./doctor/examine.ts");
    const report = await examine(patientsOf(options.name, await openNamedLab(options).status()), { signal });
    print(options, report, renderReport);
    if (!report.ok) exitWith(1);
  });
}

function createExecCommand({ signal, exitWith }: CommandContext): Command {
  const command = new Command("exec")
    .description("run a command on a host or in a container, and end with its exit code")
    .argument("<node>", "host or container")
    .argument("<command...>", "the command, after --");
  return command.action(async (node: string, words: string[]) => {
    const options = command.optsWithGlobals<LabOptions>();
    const netns = namespaceOf(await openNamedLab(options).status(), node);
    if (options.json !== true) {
      exitWith(await runInNamespace(netns, words));
      return;
    }
    const { code, stdout, stderr } = await systemProcesses.run("ip", ["netns", "exec", netns, ...words], {
      signal,
    });
    print(options, { exitCode: code, stdout, stderr }, () => "");
    exitWith(code);
  });
}

function createIpCommand(): Command {
  const command = new Command("ip")
    .description("print the addresses of a host or of a container")
    .argument("<node>", "host or container");
  return command.action(async (node: string) => {
    const options = command.optsWithGlobals<LabOptions>();
    const status = await openNamedLab(options).status();
    namespaceOf(status, node);
    const addresses = [
      ...status.hosts
        .filter(({ name }) => name === node)
        .flatMap(({ address, ipv6Address }) => [address, ...(ipv6Address === null ? [] : [ipv6Address])]),
      ...status.etcd.filter(({ name }) => name === node).map(({ address }) => address),
      ...[...status.machines, ...status.containers]
        .filter(({ name }) => name === node)
        .flatMap((machine) => machine.addresses),
    ];
    print(options, { name: node, addresses }, () => addresses.join("\n"));
  });
}

function createAddCommand({ signal }: CommandContext): Command {
  const command = new Command("add")
    .description("add a container")
    .argument("<container>", "its name")
    .requiredOption("--host <host>", "the host that it runs on");
  return command.action(async (name: string, { host }: { host: string }) => {
    const options = command.optsWithGlobals<LabOptions>();
    const added = await openNamedLab(options).add(name, host, { signal });
    print(options, added, ({ addresses }) => addresses.join("\n"));
  });
}

function createRemoveCommand({ signal }: CommandContext): Command {
  const command = new Command("rm").description("remove a container").argument("<container>", "its name");
  return command.action(async (name: string) => {
    const options = command.optsWithGlobals<LabOptions>();
    await openNamedLab(options).remove(name, { signal });
    print(options, { removed: name }, () => "removed");
  });
}
