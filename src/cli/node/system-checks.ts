// SPDX-License-Identifier: Apache-2.0
import { ProcessError, type RunResult } from "../../system/process.ts";
import type { Check, Finding, SystemTools } from "./system-check.ts";

type Wait = { readonly signal: AbortSignal };

/** Everything that a node may need, in the order in which one would repair it. */
export const SYSTEM_CHECKS: readonly Check[] = [
  { name: "user", neededFor: "everything", run: checkUser },
  // NETLINK_GET_STRICT_CHK, by which dumps are filtered.
  { name: "kernel", neededFor: "everything", run: (tools) => checkKernel(tools, "4.20") },
  {
    name: "kernel for tunnels",
    neededFor: ["ipip", "vxlan", "wireguard"],
    run: (tools) => checkKernel(tools, "5.7"),
  },
  { name: "/proc/sys", neededFor: "everything", run: checkSysctls },
  { name: "ip", neededFor: "everything", run: checkIp },
  {
    name: "veth",
    neededFor: "everything",
    run: deviceCheck("veth", ["type", "veth", "peer", "name", "mmt1"]),
  },
  { name: "address", neededFor: [], run: checkAddress },
  {
    name: "bird",
    neededFor: ["bgp"],
    run: programCheck(
      "bird",
      "2.0",
      'install BIRD 2 (Debian: bird2), or set programClusterRoutes of the FelixConfiguration "default" to Enabled',
    ),
  },
  {
    name: "nft",
    neededFor: "everything",
    run: programCheck("nft", "0.9.5", "install nftables"),
  },
  { name: "nftables", neededFor: "everything", run: checkNftables },
  {
    name: "vxlan",
    neededFor: ["vxlan"],
    run: deviceCheck("vxlan", ["type", "vxlan", "id", "1", "dstport", "4789"]),
  },
  { name: "ipip", neededFor: ["ipip"], run: checkIpip },
  { name: "wireguard", neededFor: ["wireguard"], run: checkWireguard },
];

function checkUser({ userId }: SystemTools): Promise<Finding> {
  const found = userId === 0 ? "root" : `user ${userId}`;
  return finding(userId === 0, found, "run this as root: network namespaces and devices need it");
}

function checkKernel({ kernelRelease }: SystemTools, least: string): Promise<Finding> {
  return finding(isAtLeast(kernelRelease, least), `Linux ${kernelRelease}`, `boot Linux ${least} or newer`);
}

/** What the agent writes there: forwarding of the node, and settings of containers' links. */
function checkSysctls({ isWritable }: SystemTools): Promise<Finding> {
  const isOk = isWritable("/proc/sys/net/ipv4/ip_forward");
  const remedy = "mount /proc/sys so that it can be written; in a container, run it privileged";
  return finding(isOk, isOk ? "can be written" : "cannot be written", remedy);
}

async function checkIp(tools: SystemTools, wait: Wait): Promise<Finding> {
  const { code, output } = await run(tools, ["ip", "-V"], wait);
  return code === 0 ? { ok: true, found: output } : { ok: false, found: output, remedy: "install iproute2" };
}

/** An agent's configuration may say another, which is not known here. */
async function checkAddress({ userId, detectAddress }: SystemTools, wait: Wait): Promise<Finding> {
  // To open the namespace's rtnetlink is to enter the namespace.
  if (userId !== 0)
    return { ok: false, found: `not asked for as user ${userId}`, remedy: "run this as root" };
  const detected = await detectAddress(wait);
  if (detected.kind === "found")
    return { ok: true, found: `${detected.address} without a configured one; ${detected.reason}` };
  const remedy = "give an interface an address, or set address in the agent's configuration";
  return { ok: false, found: detected.reason, remedy };
}

function programCheck(program: string, least: string, remedy: string): Check["run"] {
  return async (tools, wait) => {
    const { code, output } = await run(tools, [program, "--version"], wait);
    const version = /\d+(\.\d+)+/.exec(output)?.[0];
    if (code !== 0 || version === undefined) return { ok: false, found: output, remedy };
    const isOk = isAtLeast(version, least);
    return finding(isOk, isOk ? version : `${version}, older than ${least}`, remedy);
  };
}

/** Tries to make a device of the kind, in a network namespace that ends with the try. */
async function tryDevice(tools: SystemTools, words: readonly string[], wait: Wait): Promise<RunOutcome> {
  return await run(tools, ["unshare", "--net", "ip", "link", "add", "mmt0", ...words], wait);
}

function deviceCheck(kind: string, words: readonly string[]): Check["run"] {
  return async (tools, wait) => {
    const { code, output } = await tryDevice(tools, words, wait);
    const remedy = `use a kernel with ${kind} devices, or load its module (modprobe ${kind})`;
    return code === 0 ? { ok: true, found: "the kernel's device" } : { ok: false, found: output, remedy };
  };
}

async function checkNftables(tools: SystemTools, wait: Wait): Promise<Finding> {
  const { code, output } = await run(tools, ["unshare", "--net", "nft", "add", "table", "ip", "mmt"], wait);
  const remedy = "use a kernel with nftables (modprobe nf_tables)";
  return code === 0 ? { ok: true, found: "the kernel's" } : { ok: false, found: output, remedy };
}

async function checkIpip(tools: SystemTools, wait: Wait): Promise<Finding> {
  const { code, output } = await tryDevice(
    tools,
    ["type", "ipip", "remote", "192.0.2.1", "local", "192.0.2.2"],
    wait,
  );
  if (code === 0) return { ok: true, found: "the kernel's device" };
  // linux/sysctl: there with CONFIG_BPF_SYSCALL alone.
  if (tools.exists("/proc/sys/kernel/unprivileged_bpf_disabled"))
    return { ok: true, found: `BPF programs; the device: ${output}` };
  return { ok: false, found: output, remedy: "use a kernel with ipip devices (modprobe ipip), or with BPF" };
}

async function checkWireguard(tools: SystemTools, wait: Wait): Promise<Finding> {
  const { code, output } = await tryDevice(tools, ["type", "wireguard"], wait);
  if (code === 0) return { ok: true, found: "the kernel's device" };
  const userspace = await run(tools, ["wireguard-go", "--version"], wait);
  const remedy = "use a kernel with wireguard devices (modprobe wireguard), or install wireguard-go";
  if (!userspace.isThere) return { ok: false, found: output, remedy };
  if (!tools.exists("/dev/net/tun"))
    return {
      ok: false,
      found: "wireguard-go, and no /dev/net/tun",
      remedy: "load the module tun (modprobe tun)",
    };
  return { ok: true, found: `wireguard-go; the device: ${output}` };
}

interface RunOutcome {
  readonly code: number;
  /** On one line. */
  readonly output: string;
  readonly isThere: boolean;
}

/** Programs say who they are on either output; one that is not there says so by its error. */
async function run(
  { processes }: SystemTools,
  [program = "", ...args]: readonly string[],
  wait: Wait,
): Promise<RunOutcome> {
  try {
    return outcomeOf(await processes.run(program, args, wait));
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    return { code: 127, output: error.message, isThere: error.code !== "unavailable" };
  }
}

function outcomeOf({ code, stdout, stderr }: RunResult): RunOutcome {
  return { code, output: `${stdout}${stderr}`.trim().replaceAll(/\s+/g, " "), isThere: true };
}

function finding(ok: boolean, found: string, remedy: string): Promise<Finding> {
  return Promise.resolve(ok ? { ok, found } : { ok, found, remedy });
}

/** Compares by numbers: 5.10 is newer than 5.7. What follows the numbers, as in `6.1.0-18-amd64`, does not count. */
export function isAtLeast(version: string, least: string): boolean {
  const numbers = (text: string): readonly number[] =>
    (/^\d+(\.\d+)*/.exec(text)?.[0] ?? "").split(".").map(Number);
  const [have, want] = [numbers(version), numbers(least)];
  for (const [index, part] of want.entries()) {
    const difference = (have[index] ?? 0) - part;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
