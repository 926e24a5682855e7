// SPDX-License-Identifier: Apache-2.0
import type { ProcessRunner } from "../system/process.ts";
import { LabError } from "./error.ts";
import type { LabStatus } from "./lab.ts";
import { DEFAULT_LAB } from "./layout.ts";

/** Hosts with their processes, and below each its containers. */
export function renderStatus({ hosts, etcd, machines, containers }: LabStatus): string {
  const lines = hosts.flatMap(({ name, address, ipv6Address, agent, bird }) => [
    `${name}  ${address}${ipv6Address === null ? "" : ` ${ipv6Address}`}  ${describeProcess("agent", agent)}${bird === null ? "" : `  bird ${bird.pid}`}`,
    ...containers
      .filter(({ host }) => host === name)
      .map((container) => `  ${container.name}  ${container.addresses.join(" ")}  ${container.interface}`),
  ]);
  const members = etcd.map(
    ({ name, address, process }) => `${name}  ${address}  ${describeProcess("etcd", process)}`,
  );
  const others = machines.map(({ name, addresses }) => `${name}  ${addresses.join(" ")}`);
  return [...others, ...members, ...lines].join("\n");
}

/** The main routing tables of every host, as `ip route` shows them. */
export async function renderRoutes(
  processes: ProcessRunner,
  { hosts }: LabStatus,
  { signal }: { readonly signal: AbortSignal },
): Promise<string> {
  const sections = hosts.map(async ({ name, netns, ipv6Address }) => {
    const list = async (...options: readonly string[]): Promise<readonly string[]> => {
      const args = ["-n", netns, ...options, "route"];
      const { code, stdout, stderr } = await processes.run("ip", args, { signal });
      if (code === 0) return stdout.trimEnd().split("\n");
      throw new LabError("failed", `Cannot show routes of host "${name}": ${stderr.trim()}`);
    };
    const routes = [...(await list()), ...(ipv6Address === null ? [] : await list("-6"))];
    return [`Routes of ${name}:`, ...routes.map((route) => `  ${route.trimEnd()}`)].join("\n");
  });
  return (await Promise.all(sections)).join("\n\n");
}

/** Commands to try next, with names of this very lab. `margay` is how the reader can call the command. */
export function renderHints({ hosts, containers }: LabStatus, labName: string, margay: string): string {
  const [host] = hosts;
  const first = containers[0];
  const last = containers.at(-1);
  const lab = `${margay} lab`;
  const option = labName === DEFAULT_LAB ? "" : `--name ${labName} `;
  const commands =
    host === undefined || first === undefined || last === undefined
      ? []
      : [
          `${lab} exec ${option}${first.name} -- ping -c 3 ${last.addresses[0] ?? ""}`,
          `${lab} exec ${option}${host.name} -- ip route`,
          `${lab} add ${option}e --host ${host.name}`,
          `${lab} check ${option}`.trimEnd(),
          `${lab} up ${option}--route-source datastore`,
        ];
  return ["Go on in another terminal:", ...commands.map((command) => `  ${command}`)].join("\n");
}

function describeProcess(name: string, found: { readonly pid: number } | null): string {
  return found === null ? `no ${name} runs` : `${name} ${found.pid}`;
}
