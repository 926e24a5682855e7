// SPDX-License-Identifier: Apache-2.0
// Debian's podman on a lab's host.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeRootfs } from "./busybox-image.ts";
import { type Lab, type Outcome } from "./harness.ts";
import { NETWORK, writeNetworkList } from "./network-list.ts";
import { type RuntimeHost, openRuntimeHost } from "./runtime-host.ts";

/** The image that there is. */
export const IMAGE = "localhost/busybox";

export interface Podman {
  readonly host: RuntimeHost;
  /** Runs `podman`, which has to succeed; gives standard output. */
  run(...args: readonly string[]): Promise<string>;
  execute(...args: readonly string[]): Promise<Outcome>;
}

/** Sets podman up on a host, with an image and a network of ours; `stack` takes it away. */
export async function setUpPodman(stack: AsyncDisposableStack, lab: Lab, name: string): Promise<Podman> {
  const host = stack.use(await openRuntimeHost(lab, name));
  const { directory } = host;
  const networks = await writeNetworkList(directory, lab.agentSocket(name));
  const configuration = join(directory, "containers.conf");
  await writeFile(configuration, configurationFile(host, networks));
  // With temporary files elsewhere, podman's would stay in the machine's /var/tmp.
  const environment = [`CONTAINERS_CONF=${configuration}`, `TMPDIR=${directory}`];
  // Layers as plain copies: the other drivers ask more of the file system than that it is one.
  const command = ["env", ...environment, "podman", "--storage-driver", "vfs"];
  const podman: Podman = {
    host,
    run: (...args) => host.run(...command, ...args),
    execute: (...args) => host.execute(...command, ...args),
  };
  await podman.run("import", await writeRootfs(directory), IMAGE);
  return podman;
}

function configurationFile({ plugins }: RuntimeHost, networks: string): string {
  return `
[network]
network_backend = "cni"
cni_plugin_dirs = ["${plugins}"]
network_config_dir = "${networks}"
default_network = "${NETWORK}"
[engine]
# Only crun runs containers without control groups, which would be the machine's.
runtime = "crun"
cgroup_manager = "cgroupfs"
# There is no journal to write to.
events_logger = "file"
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
# podman would load a profile into the kernel, where there is AppArmor.
apparmor_profile = "unconfined"
`;
}
