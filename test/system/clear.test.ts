// SPDX-License-Identifier: Apache-2.0
// The end of a node: nothing of Margay's stays in its kernel, and all that is others' does.
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { createLab, killAgent, succeed } from "./harness.ts";

const WIREGUARD = fileURLToPath(new URL("three-hosts-wireguard.yaml", import.meta.url));

for (const { routeSource, encapsulation, topology } of [
  { routeSource: "bird", encapsulation: "ipip" },
  { routeSource: "datastore", encapsulation: "vxlan", topology: WIREGUARD },
] as const) {
  it(`a node is cleared that has its routes from the ${routeSource}, ${encapsulation}${topology === undefined ? "" : " and WireGuard"}`, async () => {
    await using lab = await createLab({ routeSource, ...(topology !== undefined && { topology }) });
    const place = topology === undefined ? [] : ["--topology", topology];
    await lab.margay("up", "--route-source", routeSource, "--encapsulation", encapsulation, ...place);
    const on = (...command: readonly string[]): Promise<string> => lab.exec("host1", ...command);
    await on("ip", "route", "add", "198.51.100.0/24", "via", "192.168.0.102", "proto", "static");
    await on("ip", "rule", "add", "from", "198.51.100.1", "lookup", "77");
    await on("nft", "add", "table", "ip", "theirs");
    for (const container of ["a", "b"]) await lab.margay("rm", container);
    await killAgent(lab, "host1");
    const { netns, bird } = await lab.host("host1");
    assert.equal(bird !== null, routeSource === "bird");
    assert.match(await on("ip", "route"), /proto (bird|80)/);
    const child = join(import.meta.dirname, "clear.child.ts");
    const left = await succeed("ip", [
      "netns",
      "exec",
      netns,
      process.execPath,
      child,
      dirname(lab.agentSocket("host1")),
    ]);
    assert.equal(left, "[]");
    assert.equal((await lab.host("host1")).bird, null);
    const routes = (await on("ip", "route", "show", "table", "all"))
      .split("\n")
      .filter((line) => !/table local|^$/.test(line));
    assert.deepEqual(
      routes.filter((line) => !/fe80::|^ff00|multicast/.test(line)).map((line) => line.trim()),
      [
        "192.168.0.0/24 dev eth0 proto kernel scope link src 192.168.0.101",
        "198.51.100.0/24 via 192.168.0.102 dev eth0 proto static",
      ],
    );
    assert.doesNotMatch(await on("ip", "-br", "link"), /cali/);
    assert.deepEqual((await on("ip", "rule")).match(/lookup \w+/g), [
      "lookup local",
      "lookup 77",
      "lookup main",
      "lookup default",
    ]);
    assert.equal((await on("nft", "list", "tables")).trim(), "table ip theirs");
    assert.doesNotMatch(await on("ip", "address"), / margay$|10\.1\./m);
    for (const side of ["ingress", "egress"])
      assert.doesNotMatch(await on("tc", "filter", "show", "dev", "eth0", side), /margay/);
  });
}
