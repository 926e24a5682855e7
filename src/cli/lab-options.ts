// SPDX-License-Identifier: Apache-2.0
import { type Command, Option } from "commander";
import { LabError } from "../lab/error.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import { type Encapsulation, type RouteSource, encapsulationField } from "../lab/topology-schema.ts";
import { systemClock } from "../system/clock.ts";
import { systemProcesses } from "../system/process.ts";

/** Options that every lab command has. */
export interface LabOptions {
  readonly name: string;
  readonly json?: boolean;
}

/** Options of the commands that make a lab. */
export interface MakeOptions {
  readonly topology?: string;
  readonly routeSource?: RouteSource;
  readonly encapsulation?: Encapsulation;
}

/** Opens the lab that a command's options name; throws {@link LabError} where this process may not. */
export function openNamedLab({ name }: LabOptions): Lab {
  const progress = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const lab = openLab({ processes: systemProcesses, clock: systemClock, progress }, name);
  if (process.getuid?.() !== 0)
    throw new LabError("failed", `Cannot use lab "${name}": network namespaces need root`);
  return lab;
}

export function addMakeOptions(command: Command): Command {
  return command
    .option("--topology <file>", "the network to build, in YAML; the reference network unless given")
    .addOption(
      new Option("--route-source <source>", "who writes routes to other hosts").choices([
        "bird",
        "datastore",
      ]),
    )
    .addOption(
      new Option(
        "--encapsulation <mode>",
        "how packets between hosts travel, in place of what the topology's pools say",
      ).choices(encapsulationField.options),
    );
}
