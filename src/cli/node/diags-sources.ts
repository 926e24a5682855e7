// SPDX-License-Identifier: Apache-2.0

/** A program's output that goes into a bundle. */
export interface Source {
  /** The file that it goes to. */
  readonly file: string;
  readonly command: readonly string[];
}

function source(file: string, ...command: readonly string[]): Source {
  return { file, command };
}

const SYSCTLS = [
  "ip_forward",
  "conf.all.rp_filter",
  "conf.default.rp_filter",
  "conf.all.forwarding",
  "conf.all.proxy_arp",
];

/** What the node's kernel knows. None of them tells a private key: `wg show` hides them. */
export const KERNEL_SOURCES: readonly Source[] = [
  source("system/uname", "uname", "-a"),
  source("system/os-release", "cat", "/etc/os-release"),
  source("system/uptime", "uptime"),
  source("system/memory", "cat", "/proc/meminfo"),
  source("system/modules", "cat", "/proc/modules"),
  source("system/sysctl", "sysctl", ...SYSCTLS.map((name) => `net.ipv4.${name}`)),
  source("network/link", "ip", "-d", "-s", "link", "show"),
  source("network/addr-4", "ip", "-4", "addr", "show"),
  source("network/addr-6", "ip", "-6", "addr", "show"),
  source("network/route-4", "ip", "-4", "route", "show", "table", "all"),
  source("network/route-6", "ip", "-6", "route", "show", "table", "all"),
  source("network/rule-4", "ip", "-4", "rule", "show"),
  source("network/rule-6", "ip", "-6", "rule", "show"),
  source("network/neigh", "ip", "neigh", "show"),
  source("network/fdb", "bridge", "fdb", "show"),
  source("network/netns", "ip", "netns", "list"),
  source("network/filters", "tc", "-s", "filter", "show"),
  source("network/sockets", "ss", "-n", "-a", "-t", "-u"),
  source("network/nftables", "nft", "list", "ruleset"),
  source("network/wireguard", "wg", "show"),
];

/** What BIRD says of itself. */
export function birdSources(controlSocket: string): readonly Source[] {
  const birdc = (...words: readonly string[]): readonly string[] => [
    "birdc",
    "-r",
    "-s",
    controlSocket,
    ...words,
  ];
  return [
    source("bird/status", ...birdc("show", "status")),
    source("bird/protocols", ...birdc("show", "protocols", "all")),
    source("bird/routes", ...birdc("show", "route", "all")),
    source("bird/interfaces", ...birdc("show", "interfaces")),
  ];
}

/** What the agent tells: files, and what is asked for each. */
export const AGENT_ANSWERS: readonly { readonly file: string; readonly path: string }[] = [
  { file: "agent/status.json", path: "/status" },
  { file: "agent/health.json", path: "/healthz" },
  { file: "agent/readiness.json", path: "/readyz" },
  { file: "agent/differences.json", path: "/differences" },
  ...["endpoints", "routes", "neighbours", "bgp", "ipam"].map((name) => ({
    file: `agent/${name}.json`,
    path: `/api/v1/${name}`,
  })),
  { file: "agent/metrics", path: "/metrics" },
];

/** What a service manager kept of the agent's log; `--unit` of none prints that there is nothing. */
export const JOURNAL: Source = source(
  "log/journal",
  "journalctl",
  "--unit",
  "margay*",
  "--lines",
  "20000",
  "--no-pager",
);
