// SPDX-License-Identifier: Apache-2.0

/** A path that systemd takes as it is: without blanks, quotes, "%" and "$", which mean something in a unit (systemd.service(5), "COMMAND LINES"). */
const PLAIN_PATH = /^\/[A-Za-z0-9@._/+-]+$/;

/** The agent as a service (systemd.service(5)). Throws where the paths would mean something else to systemd. */
export function renderService(program: string, config: string): string {
  for (const path of [program, config]) {
    if (!PLAIN_PATH.test(path))
      throw new SyntaxError(
        `Cannot run ${JSON.stringify(path)} as a service: want letters, digits and "@._/+-"`,
      );
  }
  return `# Written by "margay node install". Changes belong in a drop-in: systemctl edit margay-agent
[Unit]
Description=Margay agent, the network of this node's containers
Wants=network-online.target
# The node's address is looked for as the agent starts. Containers that run already do not wait for it.
After=network-online.target
# However often it fails, it is started again.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${program} agent --config ${config}
Restart=always
RestartSec=1
# BIRD and wireguard-go outlive the agent: packets are forwarded while it is replaced.
KillMode=process
# Calls of the CNI plugin that are under way are finished first.
TimeoutStopSec=45
OOMScoreAdjust=-500
LimitNOFILE=65536

# Nothing here gives the agent a mount namespace of its own, as ProtectSystem= and PrivateTmp= would: namespaces of containers are files that
# runtimes mount below /run/netns at any time, and the agent has to see the same ones. It writes to /proc/sys, and makes what it runs at run
# time, so ProtectKernelTunables= and MemoryDenyWriteExecute= are not for it either.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`;
}
