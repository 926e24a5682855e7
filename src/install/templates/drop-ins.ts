// SPDX-License-Identifier: Apache-2.0

/** Every interface that is Margay's (docs/agent.md); "?" is one character in the patterns of all three programs. */
const CONTAINERS = `cali${"?".repeat(11)}`;
const DEVICES = ["tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali"];

/** NetworkManager.conf(5). "+=" leaves what other files say in force. */
export const NETWORK_MANAGER = `# Written by "margay node install". NetworkManager would take away addresses that it has not given, and ask for others by DHCP.
[keyfile]
unmanaged-devices+=${["cali*", ...DEVICES].map((name) => `interface-name:${name}`).join(";")}
`;

/** systemd.network(5). The first file that matches an interface counts, by name. */
export const NETWORKD_LINKS = `# Written by "margay node install". A file that matches every interface would have systemd-networkd configure containers' too.
[Match]
Name=${[CONTAINERS, ...DEVICES].join(" ")}

[Link]
Unmanaged=yes
`;

/** networkd.conf(5); rules since systemd 249. */
export const NETWORKD_ROUTES = `# Written by "margay node install". At every start systemd-networkd takes away routes and rules that it has not made, also those to other
# nodes' containers.
[Network]
ManageForeignRoutes=no
ManageForeignRoutingPolicyRules=no
`;

/**
 * sysctl.d(5); each is explained in the kernel's `ip-sysctl.rst`. The agent itself sets what it needs; this is for what others set, and for what
 * is the machine's as a whole.
 */
export const SYSCTL = `# Written by "margay node install".

# A node is a router. The agent sets this too; here it outweighs a file that sorts before this one and says 0.
net.ipv4.ip_forward = 1

# A container sends from its own address only. The agent sets this on each container's interface, but distributions that set
# net.ipv4.conf.*.rp_filter to 2 (loose) have udev do so whenever an interface comes, which may be after the agent. The larger of this and
# net.ipv4.conf.all.rp_filter counts, so leave that one at 0 or 1; tunnels want 0.
-net.ipv4.conf.cali*.rp_filter = 1

# The kernel keeps 1024 neighbours in all unless it is told otherwise: not enough where more nodes, and others, are on one network. Containers'
# entries are permanent and do not count. Room costs nothing until it is used.
net.ipv4.neigh.default.gc_thresh1 = 1024
net.ipv4.neigh.default.gc_thresh2 = 4096
net.ipv4.neigh.default.gc_thresh3 = 8192
net.ipv6.neigh.default.gc_thresh1 = 1024
net.ipv6.neigh.default.gc_thresh2 = 4096
net.ipv6.neigh.default.gc_thresh3 = 8192

# net.ipv6.conf.all.forwarding is not here: it makes the kernel ignore router advertisements, from which a node may have its default route.
`;
