// SPDX-License-Identifier: Apache-2.0
// Section 1 of the design on the reference network, with either source of routes.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Lab, createLab, eventually } from "./harness.ts";
import { PING_ONCE, PING_PATIENCE_S } from "./patience.ts";

const ECHO = fileURLToPath(new URL("./echo.ts", import.meta.url));

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`the reference network, with routes from ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ routeSource });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    it("has every container reach every other, by the address of its own", async () => {
      const report = JSON.parse(await lab.margay("check", "--json")) as { ok: boolean };
      assert.equal(report.ok, true, JSON.stringify(report));
    });

    for (const [from, to, ttl] of [
      ["a", "b", 63],
      ["b", "a", 63],
      ["a", "d", 62],
      ["d", "a", 62],
    ] as const) {
      it(`costs a ping from ${from} to ${to} the hops of routing: it comes with hop limit ${ttl}`, async () => {
        const output = await lab.exec(
          from,
          "ping",
          "-n",
          "-c",
          "3",
          "-i",
          "0.05",
          "-W",
          PING_PATIENCE_S,
          await lab.address(to),
        );
        assert.match(output, /3 received/);
        assert.match(output, new RegExp(`ttl=${ttl} `));
      });

      for (const protocol of ["tcp", "udp"]) {
        it(`carries ${protocol} from ${from} to ${to}, which sees ${from}'s own address`, async () => {
          const server = lab.start(to, process.execPath, ECHO, "serve");
          try {
            await once(server.stdout ?? assert.fail(), "data");
            const seen = await lab.exec(
              from,
              process.execPath,
              ECHO,
              "call",
              protocol,
              await lab.address(to),
            );
            assert.equal(seen.trim(), await lab.address(from));
          } finally {
            server.kill();
            await once(server, "close");
          }
        });
      }
    }

    it("gives a container exactly its own /32, the gateway and a permanent entry for it", async () => {
      const own = await lab.address("a");
      const addresses = await lab.exec("a", "ip", "-o", "addr", "show", "dev", "eth0");
      assert.equal(addresses.trim().split("\n").length, 1, addresses);
      assert.match(addresses, new RegExp(`inet ${own.replaceAll(".", "\\.")}/32 scope global eth0`));
      const routes = (await lab.exec("a", "ip", "route"))
        .trim()
        .split("\n")
        .map((line) => line.trim());
      assert.deepEqual(routes, ["default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"]);
      const neighbours = await lab.exec("a", "ip", "neigh");
      assert.equal(neighbours.trim(), "169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT");
    });

    it("gives the node end the fixed MAC, no IPv4 address, a route and a permanent entry for the container", async () => {
      const { interface: nodeEnd } = await lab.container("a");
      const own = await lab.address("a");
      assert.match(await lab.exec("host1", "ip", "link", "show", nodeEnd), /ee:ee:ee:ee:ee:ee/);
      assert.equal((await lab.exec("host1", "ip", "-4", "addr", "show", nodeEnd)).trim(), "");
      const mac = / ([0-9a-f:]{17}) /.exec(await lab.exec("a", "ip", "-br", "link", "show", "eth0"))?.[1];
      assert.equal(
        (await lab.exec("host1", "ip", "neigh", "show", "dev", nodeEnd)).trim(),
        `${own} lladdr ${mac ?? ""} PERMANENT`,
      );
      assert.match(
        await lab.exec("host1", "ip", "route"),
        new RegExp(`^${own} dev ${nodeEnd} proto 80 scope link`, "m"),
      );
    });

    it(`has host2's block on host1 from ${routeSource}, and host1's own as a blackhole`, async () => {
      const routes = await lab.exec("host1", "ip", "route");
      const remote = routeSource === "bird" ? "proto bird metric 32" : "proto 80 metric 1024";
      assert.match(
        routes,
        new RegExp(`^10\\.1\\.\\d+\\.\\d+/26 via 192\\.168\\.0\\.102 dev eth0 ${remote}`, "m"),
      );
      assert.match(routes, /^blackhole 10\.1\.\d+\.\d+\/26 proto 80/m);
      assert.equal((await lab.status()).hosts[0]?.bird !== null, routeSource === "bird");
    });

    it("sends the first packet between new containers without any ARP", async () => {
      await lab.margay("add", "fresh", "--host", "host1");
      const { interface: nodeEnd } = await lab.container("fresh");
      const capture = lab.start("host1", "tcpdump", "-n", "-l", "-i", nodeEnd);
      let seen = "";
      capture.stdout?.setEncoding("utf8").on("data", (text: string) => (seen += text));
      await once(capture.stderr ?? assert.fail(), "data");
      await lab.exec("fresh", ...PING_ONCE, await lab.address("b"));
      await lab.exec("b", ...PING_ONCE, await lab.address("fresh"));
      await eventually(
        () => Promise.resolve(seen.split("\n").filter((line) => line.includes("ICMP echo")).length >= 4),
        "four echo packets",
      );
      capture.kill("SIGINT");
      await once(capture, "close");
      assert.doesNotMatch(seen, /ARP/);
      await lab.margay("rm", "fresh");
    });

    it("answers by proxy ARP for a container that has lost its neighbour entry", async () => {
      await lab.exec("a", "ip", "neigh", "flush", "all", "nud", "permanent");
      assert.equal((await lab.exec("a", "ip", "neigh")).trim(), "");
      await lab.exec("a", ...PING_ONCE, await lab.address("d"));
      assert.match(await lab.exec("a", "ip", "neigh"), /169\.254\.1\.1 .*ee:ee:ee:ee:ee:ee/);
    });
  });
}
