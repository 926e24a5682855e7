// SPDX-License-Identifier: Apache-2.0
// Routers that speak BGP, by software that is not the cluster's own.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startDaemon } from "./daemon.ts";
import { LabError } from "./error.ts";
import type { Layout } from "./layout.ts";
import { listOccupants, netnsIdAt } from "./occupants.ts";
import type { LabTools } from "./tools.ts";
import type { Router, Topology } from "./topology-schema.ts";

/** Where Debian has FRR's daemons. */
const FRR_PROGRAMS = "/usr/lib/frr";
/** Where a GoBGP finds the BIRD that takes its routes to the kernel: an internal neighbour (RFC 4271) on the router itself. */
const FIB_ADDRESS = "127.0.0.2";

/** Starts the speakers' processes that do not run. */
export async function ensureSpeakers(tools: LabTools, layout: Layout, { underlay }: Topology): Promise<void> {
  for (const router of underlay.routers) {
    if (router.speaker === undefined) continue;
    const speaker = { router: router.name, config: router.speaker.config, as: asOf(router) };
    await mkdir(layout.speaker(router.name).directory, { recursive: true, mode: 0o700 });
    if (router.speaker.kind === "frr") await ensureFrr(tools, layout, speaker);
    else await ensureGobgp(layout, speaker);
  }
}

interface Speaker {
  readonly router: string;
  readonly config: string;
  readonly as: number;
}

/** The autonomous system that the configuration gives the router. */
function asOf({ name, speaker }: Router): number {
  const [, digits] = /^\s*(?:router bgp|as\s*=)\s*(\d+)/m.exec(speaker?.config ?? "") ?? [];
  if (digits !== undefined) return Number(digits);
  throw new LabError("invalid", `Cannot start the BGP speaker of "${name}": its configuration names no AS`);
}

/** Zebra first: it brings what the others learn to the kernel. */
async function ensureFrr(
  { processes }: LabTools,
  layout: Layout,
  { router, config }: Speaker,
): Promise<void> {
  const { frrDirectory, pathspace, logFile } = layout.speaker(router);
  const own = ["-o", "frr", "-g", "frr", "-m", "0750", "-d", frrDirectory];
  const { code, stderr } = await processes.run("install", own);
  if (code !== 0) throw new LabError("failed", `Cannot start FRR on "${router}": ${stderr.trim()}`);
  const files = { zebra: "ip forwarding\n", bfdd: "", bgpd: config };
  for (const [program, text] of Object.entries(files)) {
    if (isRunning(layout, router, program)) continue;
    const file = join(frrDirectory, `${program}.conf`);
    await writeFile(file, text, { mode: 0o644 });
    startDaemon(layout, {
      what: `FRR's ${program} on "${router}"`,
      node: router,
      command: join(FRR_PROGRAMS, program),
      // Without a TCP port for its command line: it has a socket.
      args: ["-N", pathspace, "-f", file, "-P", "0", "--log", "stdout"],
      logFile,
    });
  }
}

/**
 * GoBGP reaches the kernel by FRR's zebra alone, and GoBGP 3.10 ends at once with the zebra of FRR 8.4; so a BIRD beside it does that, which talks to
 * nobody else.
 */
async function ensureGobgp(layout: Layout, { router, config, as }: Speaker): Promise<void> {
  const { directory, logFile } = layout.speaker(router);
  const files = { gobgpd: join(directory, "gobgp.toml"), bird: join(directory, "fib.conf") };
  const args = {
    gobgpd: ["-f", files.gobgpd, "-t", "toml", "--api-hosts", "127.0.0.1:50051", "--pprof-disable"],
    bird: ["-f", "-c", files.bird, "-s", join(directory, "fib.ctl")],
  };
  await writeFile(files.gobgpd, config + fibNeighbor(as), { mode: 0o600 });
  await writeFile(files.bird, fibConfig(as), { mode: 0o600 });
  for (const program of ["gobgpd", "bird"] as const) {
    if (isRunning(layout, router, program)) continue;
    const what = `"${program}" on "${router}"`;
    startDaemon(layout, { what, node: router, command: program, args: args[program], logFile });
  }
}

function fibNeighbor(as: number): string {
  return `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${FIB_ADDRESS}"
    peer-as = ${as}
  [neighbors.transport.config]
    passive-mode = true
`;
}

function fibConfig(as: number): string {
  return `
router id ${FIB_ADDRESS};
protocol device {}
protocol direct { ipv4; }
protocol kernel {
  merge paths;
  ipv4 { import none; export where source = RTS_BGP; };
}
protocol bgp gobgp {
  local ${FIB_ADDRESS} port 1179 as ${as};
  neighbor 127.0.0.1 as ${as};
  multihop;
  connect retry time 2;
  error wait time 1, 2;
  ipv4 { add paths rx; import all; export none; };
}
`;
}

function isRunning(layout: Layout, node: string, program: string): boolean {
  const id = netnsIdAt(layout.namespacePath(node));
  return id !== undefined && listOccupants(new Set([id])).some(({ command }) => command === program);
}
