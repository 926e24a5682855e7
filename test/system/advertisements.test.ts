// SPDX-License-Identifier: Apache-2.0
// Routers' advertisements (RFC 4861), by BIRD's own: what nodes go on to learn by them, and containers do not.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { apply, resource } from "./bgp-harness.ts";
import { createRuntime } from "./cni-runtime.ts";
import { type Lab, agentStatus, createLab, eventually, pause } from "./harness.ts";

/** As short as RFC 4861 section 6.2.1 lets a router's advertisements be apart, and what they say last. */
const [INTERVAL_S, LIFETIME_S] = [4, 9];
const BOTH = { ipam: { assign_ipv6: "true" } };

let lab: Lab;
before(async () => {
  lab = await createLab({ routeSource: "datastore" });
});
after(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Has the host advertise itself as a router for so many seconds, and the prefix, on its interface, until disposed of. */
async function advertise(
  host: string,
  ifName: string,
  prefix: string,
  lifetimeS: number,
): Promise<AsyncDisposable> {
  await lab.exec(host, "ip", "address", "add", `${prefix}1/64`, "dev", ifName, "nodad");
  const directory = mkdtempDisposableSync(join(tmpdir(), "margay-radv-"));
  const config = join(directory.path, "bird.conf");
  const says = `max ra interval ${INTERVAL_S}; min ra interval 3; default lifetime ${lifetimeS};`;
  writeFileSync(
    config,
    `router id 192.0.2.1; protocol device {} protocol radv { interface "${ifName}" { ${says} }; prefix ${prefix}/64 {}; }`,
  );
  const bird = lab.start(host, "bird", "-f", "-c", config, "-s", join(directory.path, "bird.ctl"));
  return {
    async [Symbol.asyncDispose]() {
      bird.kill();
      await once(bird, "close");
      directory[Symbol.dispose]();
    },
  };
}

it("a node that begins to forward IPv6 keeps the default route that it has by them, and has it renewed", async () => {
  const routes = (): Promise<string> => lab.exec("host1", "ip", "-6", "route", "show", "default");
  const forwarding = (): Promise<string> =>
    lab.exec("host1", "cat", "/proc/sys/net/ipv6/conf/all/forwarding");
  await using _router = await advertise("host2", "eth0", "fd99:1::", LIFETIME_S);
  await eventually(async () => (await routes()).includes("proto ra"), "a route by advertisement");
  const before = await forwarding();
  await apply(lab, resource("IPPool", "six", { cidr: "fd10::/64" }));
  await eventually(async () => (await forwarding()) === "1\n", "forwarding of IPv6");
  assert.equal(before, "0\n");
  // Longer than what was learnt before holds.
  await pause((LIFETIME_S + INTERVAL_S) * 1000);
  // A router that is kept from running is late with one, and goes on.
  const isRenewed = async (): Promise<boolean> =>
    /^default via fe80::\S+ dev eth0 proto ra .*expires [1-9]sec/.test(await routes());
  await eventually(isRenewed, "the route renewed");
  assert.equal((await agentStatus(lab, "host1")).ready, true);
});

it("a container learns nothing by them", async () => {
  await using runtime = await createRuntime(lab, "deaf");
  const { interfaces } = await runtime.add(BOTH);
  const nodeEnd = interfaces[0]?.name ?? assert.fail("no node end");
  const view = async (): Promise<string> =>
    (await runtime.exec("ip", "-6", "address", "show", "dev", "eth0", "scope", "global")) +
    (await runtime.exec("ip", "-6", "route", "show"));
  const known = await view();
  const tcpdump = ["tcpdump", "-n", "-c", "2", "-i", "eth0", "icmp6 and ip6[40] == 134"];
  const capture = lab.start("host1", "ip", "netns", "exec", runtime.netns, ...tcpdump);
  await once(capture.stderr ?? assert.fail(), "data");
  // As no router: the kernel takes nothing of an advertisement whose default route it has already, and this one is by the container's gateway.
  await using _router = await advertise("host1", nodeEnd, "fd99:2::", 0);
  await once(capture, "close");
  assert.equal(await view(), known);
  // What they do to one that heeds them.
  await runtime.exec("sysctl", "-q", "-w", "net.ipv6.conf.eth0.accept_ra=2");
  await eventually(async () => (await view()).includes("fd99:2::"), "an address by advertisement");
  await runtime.succeeds("DEL", BOTH);
});
