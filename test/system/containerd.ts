// SPDX-License-Identifier: Apache-2.0
// Debian's containerd on a lab's host, spoken to as kubelet does.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writePauseImage } from "./busybox-image.ts";
import { type CriClient, connectCri } from "./cri.ts";
import { type Lab, eventually } from "./harness.ts";
import { writeNetworkList } from "./network-list.ts";
import { type RuntimeHost, openRuntimeHost } from "./runtime-host.ts";

/** What a sandbox is before there are containers in it: one process that does nothing. */
const PAUSE_IMAGE = "localhost/pause:1";

export interface Containerd {
  readonly host: RuntimeHost;
  readonly cri: CriClient;
}

/** Starts containerd on a host, with a network of ours; `stack` takes it away. */
export async function startContainerd(
  stack: AsyncDisposableStack,
  lab: Lab,
  name: string,
): Promise<Containerd> {
  const host = stack.use(await openRuntimeHost(lab, name));
  const { directory } = host;
  const networks = await writeNetworkList(directory, lab.agentSocket(name));
  const [configuration, socket] = [join(directory, "config.toml"), join(directory, "containerd.sock")];
  await writeFile(configuration, await configurationFile(host, { networks, socket }));
  const daemon = host.start("containerd", "--config", configuration);
  let log = "";
  daemon.stderr?.setEncoding("utf8").on("data", (text: string) => (log += text));
  const isUp = (): Promise<boolean> => {
    if (daemon.exitCode !== null) throw new Error(`containerd has ended: ${log}`);
    return Promise.resolve(log.includes("containerd successfully booted"));
  };
  await eventually(isUp, "containerd");
  const image = await writePauseImage(directory, PAUSE_IMAGE);
  const ctr = ["ctr", "--address", socket, "--namespace", "k8s.io"];
  await host.run(...ctr, "images", "import", "--snapshotter", "native", image);
  return { host, cri: stack.use(connectCri(socket)) };
}

interface Paths {
  readonly networks: string;
  readonly socket: string;
}

async function configurationFile(
  { directory, plugins }: RuntimeHost,
  { networks, socket }: Paths,
): Promise<string> {
  // Where no control groups are, runc gives up. crun does without, if told so, and containerd cannot tell it.
  const crun = join(directory, "crun");
  await writeFile(crun, '#!/bin/sh\nexec crun --cgroup-manager=disabled "$@"\n', { mode: 0o755 });
  return `
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
# It writes to /opt.
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE_IMAGE}"
disable_cgroup = true
# containerd would load a profile into the kernel, where there is AppArmor.
disable_apparmor = true
# It would have sandboxes be the last to be killed where memory runs out, which not every root may.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${plugins}"
conf_dir = "${networks}"
[plugins."io.containerd.grpc.v1.cri".containerd]
# Layers as plain copies: the other snapshotters ask more of the file system than that it is one.
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "${crun}"
`;
}
