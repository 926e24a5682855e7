// SPDX-License-Identifier: Apache-2.0
import type { Patient } from "../../doctor/doctor.ts";
import type { LabStatus } from "../../lab/lab.ts";
import { createLayout } from "../../lab/layout.ts";

/** Every host of a lab. */
export function patientsOf(lab: string, { hosts }: LabStatus): readonly Patient[] {
  const layout = createLayout(lab);
  return hosts.map(({ name }) => {
    const { agentSocket: socket, directory: stateDirectory } = layout.host(name);
    return { name, socket, stateDirectory, netnsPath: layout.namespacePath(name) };
  });
}
