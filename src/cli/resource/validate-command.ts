// SPDX-License-Identifier: Apache-2.0
import { Command } from "commander";
import { idOf } from "../../datastore/resources.ts";
import { CommandError } from "../exit.ts";
import { describeResource } from "./describe.ts";
import { requireManifests } from "./files.ts";
import { type FileOptions, addFileOption, addNamespaceOption } from "./options.ts";

/** Checks files by themselves: neither an agent nor a datastore is needed. */
export function createValidateCommand(): Command {
  const command = new Command("validate").description("check resources in files, without a datastore");
  return addNamespaceOption(addFileOption(command)).action(async ({ filename, namespace }: FileOptions) => {
    if (filename.length === 0) throw new CommandError("invalid", "Want -f FILE");
    for (const { resource } of await requireManifests(filename, namespace))
      process.stdout.write(`${describeResource(idOf(resource))} is valid\n`);
  });
}
