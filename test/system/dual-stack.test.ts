// SPDX-License-Identifier: Apache-2.0
// Containers with an address of each family, with routes from either source.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { resourcePrefix } from "../../src/model/keys.ts";
import { apply, resource } from "./bgp-harness.ts";
import { type Result, callVariables, networkConfig } from "./cni-runtime.ts";
import {
  type Lab,
  type Outcome,
  MARGAY,
  agentStatus,
  callCni,
  createLab,
  eventually,
  eventuallyEqual,
  execute,
  node,
  readStore,
  settled,
  succeed,
} from "./harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";
import { FELIX_KEY, patch } from "./tunnel-harness.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url));
const GATEWAY = "fe80::ecee:eeff:feee:eeee";
const BOTH = { assign_ipv6: "true" };
/** Of one address. */
const TINY = resource("IPPool", "tiny", { cidr: "fd20::7/128", blockSize: 128, assignmentMode: "Manual" });

interface Report {
  readonly ok: boolean;
  readonly pairs: readonly { readonly family: 4 | 6; readonly reachable: boolean }[];
}

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`containers of both families, with routes by ${routeSource}`, () => {
    let lab: Lab;
    let netns: string;
    before(async () => {
      lab = await createLab({ routeSource, topology: TOPOLOGY });
      netns = `${lab.name}cni`;
      await succeed("ip", ["netns", "add", netns]);
    });
    after(async () => {
      await succeed("ip", ["netns", "del", netns]);
      await lab[Symbol.asyncDispose]();
    });

    const call = (command: string, config: object = {}, id = "cni-test"): Promise<Outcome> =>
      callCni(networkConfig(lab, { ipam: BOTH, ...config }), callVariables(command, id, netns));
    const add = async (config: object = {}): Promise<Result> => {
      const { code, stdout } = await call("ADD", config);
      assert.equal(code, 0, stdout);
      return JSON.parse(stdout) as Result;
    };
    const remove = async (): Promise<void> => {
      const { code, stdout } = await call("DEL");
      assert.equal(code, 0, stdout);
    };
    const inside = (...command: readonly string[]): Promise<string> =>
      succeed("ip", ["netns", "exec", netns, ...command]);
    /** What there is of containers on the host, in its datastore's words and the kernel's. */
    const views = async (): Promise<readonly string[]> => [
      await lab.exec("host1", "ip", "route"),
      await lab.exec("host1", "ip", "-6", "route"),
      await lab.exec("host1", "ip", "-6", "neigh", "show", "nud", "permanent"),
      await lab.exec("host1", "ip", "-br", "link"),
      JSON.stringify((await agentStatus(lab, "host1")).dataplane.wanted),
      // Blocks remember which address is to be used last.
      ...Array.from(await readStore(lab, "/calico/ipam/v2/handle/"), (entry) => entry.join(" ")),
      ...Array.from(await readStore(lab, resourcePrefix("WorkloadEndpoint")), (entry) => entry.join(" ")),
    ];
    const changingNothing = async (action: () => Promise<void>): Promise<void> => {
      const look = async (): Promise<string> => (await views()).join("\n");
      const start = await settled(look);
      await action();
      assert.equal(await look(), start);
    };
    const addressesOf = ({ ips }: Result): readonly string[] =>
      ips.map(({ address }) => address.split("/")[0] ?? "");

    it("reach each other, every pair by either family, and no address is translated", async () => {
      const { ok, pairs } = JSON.parse(await lab.margay("check", "--json")) as Report;
      assert.ok(ok);
      const counts = ([4, 6] as const).map((family) => pairs.filter((pair) => pair.family === family).length);
      assert.deepEqual(counts, [16, 16]);
      assert.deepEqual((await agentStatus(lab, "host1")).degraded, []);
    });

    it("have both in `lab ip`, and hosts too", async () => {
      assert.match(await lab.margay("ip", "a"), /^10\.1\.\d+\.\d+\nfd10::[0-9a-f:]+\n$/);
      assert.equal(await lab.margay("ip", "host2"), "192.168.0.102\nfd00:1::102\n");
    });

    it("get both from ADD, with the gateways that they have, and give both back with DEL", async () => {
      await changingNothing(async () => {
        const result = await add();
        assert.match(result.ips[0]?.address ?? "", /^10\.1\.\d+\.\d+\/32$/);
        assert.match(result.ips[1]?.address ?? "", /^fd10::[0-9a-f:]+\/128$/);
        assert.deepEqual(
          result.ips.map(({ gateway }) => gateway),
          ["169.254.1.1", GATEWAY],
        );
        assert.deepEqual(result.routes, [
          { dst: "0.0.0.0/0", gw: "169.254.1.1" },
          { dst: "::/0", gw: GATEWAY },
        ]);
        const checked = await call("CHECK", { prevResult: result });
        assert.deepEqual([checked.code, checked.stdout], [0, ""]);
        assert.match(await inside("ip", "-6", "route"), new RegExp(`default via ${GATEWAY} dev eth0`));
        await remove();
      });
    });

    it("may have IPv6 alone, or IPv4 alone, which is silent in IPv6 then", async () => {
      const six = await add({ ipam: { assign_ipv4: "false", assign_ipv6: "true" } });
      assert.deepEqual(
        six.ips.map(({ gateway }) => gateway),
        [GATEWAY],
      );
      assert.equal(await inside("ip", "-4", "route"), "");
      await lab.exec("c", "ping", "-6", "-c", "1", "-W", PING_PATIENCE_S, addressesOf(six)[0] ?? "");
      await remove();
      const four = await add({ ipam: undefined });
      assert.deepEqual(
        four.ips.map(({ gateway }) => gateway),
        ["169.254.1.1"],
      );
      assert.equal(await inside("ip", "-6", "address", "show", "dev", "eth0"), "");
      await remove();
    });

    it("take the first packet that another node's container sends, by either family", async () => {
      const lost: string[] = [];
      for (let round = 0; round < 10; round++) {
        const [four = "", six = ""] = addressesOf(await add());
        // The older one is asked second: it has had the time of the other's answer.
        for (const ip of [six, four]) {
          const { code } = await execute("ip", [
            ...["netns", "exec", `margay-${lab.name}-c`],
            ...["ping", "-c", "1", "-W", PING_PATIENCE_S, ip],
          ]);
          if (code !== 0) lost.push(ip);
        }
        await remove();
      }
      assert.deepEqual(lost, []);
    });

    it("can send at once", async () => {
      const target = (await lab.container("c")).addresses[1]?.split("/")[0] ?? "";
      const lost: number[] = [];
      for (let round = 0; round < 10; round++) {
        await add();
        const { code } = await execute("ip", [
          "netns",
          "exec",
          netns,
          "ping",
          "-c",
          "1",
          "-W",
          PING_PATIENCE_S,
          target,
        ]);
        if (code !== 0) lost.push(round);
        await remove();
      }
      assert.deepEqual(lost, []);
    });

    it("find their gateway again after they have lost their neighbour table", async () => {
      await add();
      await inside("ip", "-6", "neigh", "flush", "dev", "eth0", "nud", "permanent");
      const target = (await lab.container("c")).addresses[1]?.split("/")[0] ?? "";
      await inside("ping", "-6", "-c", "1", "-W", PING_PATIENCE_S, target);
      await remove();
    });

    it("are attached once other nodes' routes of both families are there, where a network wants that", async () => {
      const result = await add({ routeReadiness: "peers" });
      for (const ip of addressesOf(result)) await lab.exec("c", "ping", "-c", "1", "-W", PING_PATIENCE_S, ip);
      await remove();
    });

    it("have neither address where there is none of the second family", async () => {
      await apply(lab, TINY);
      const tiny = { ipam: { ...BOTH, ipv6_pools: ["tiny"] } };
      const holder = `${netns}h`;
      await succeed("ip", ["netns", "add", holder]);
      try {
        // The resource is on its way to the agent.
        await eventually(async () => (await call("ADD", tiny)).code === 0, "the only address");
        await changingNothing(async () => {
          const { code, stdout } = await callCni(
            networkConfig(lab, tiny),
            callVariables("ADD", "second", holder),
          );
          assert.equal(code, 1);
          const { code: cause, msg } = JSON.parse(stdout) as { code: number; msg: string };
          assert.equal(cause, 100, msg);
          assert.match(msg, /"tiny"/);
          assert.doesNotMatch(await succeed("ip", ["-n", holder, "-br", "link"]), /eth0/);
        });
      } finally {
        await remove();
        await succeed("ip", ["netns", "del", holder]);
      }
    });

    it("are checked for every kind of damage to their IPv6 side", async () => {
      const result = await add();
      const [, six = ""] = addressesOf(result);
      const nodeEnd = result.interfaces[0]?.name ?? "";
      const isWhole = async (): Promise<void> => {
        const { code, stdout } = await call("CHECK", { prevResult: result });
        assert.equal(code, 0, stdout);
      };
      const damages: readonly (readonly [damage: string, repair: string, fault: RegExp])[] = [
        [
          `address del ${six}/128 dev eth0`,
          `address add ${six}/128 dev eth0 nodad`,
          new RegExp(`address "${six}/128" is missing on "eth0"`),
        ],
        [
          "-6 route del default",
          `-6 route add default via ${GATEWAY} dev eth0`,
          /route "::\/0" is missing or different/,
        ],
        [
          "-6 route replace default via fe80::1 dev eth0",
          `-6 route replace default via ${GATEWAY} dev eth0`,
          /route "::\/0" is missing or different/,
        ],
        [
          `-6 neigh del ${GATEWAY} dev eth0`,
          `-6 neigh replace ${GATEWAY} lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent`,
          new RegExp(`permanent neighbour entry for ${GATEWAY} is missing`),
        ],
      ];
      for (const [damage, repair, fault] of damages) {
        await inside("ip", ...damage.split(" "));
        const { code, stdout } = await call("CHECK", { prevResult: result });
        assert.equal(code, 1, damage);
        assert.match((JSON.parse(stdout) as { msg: string }).msg, fault);
        await inside("ip", ...repair.split(" "));
        await isWhole();
      }
      // The agent repairs its side.
      for (const damage of [
        `-6 route del ${six}`,
        `-6 neigh del ${six} dev ${nodeEnd}`,
        `-6 address del ${GATEWAY}/64 dev ${nodeEnd}`,
      ]) {
        await lab.exec("host1", "ip", ...damage.split(" "));
        await isWhole();
      }
      const { ips } = result;
      const forgetful = await call("CHECK", { prevResult: { ...result, ips: ips.slice(0, 1) } });
      assert.match(forgetful.stdout, new RegExp(`prevResult does not list address .*${six}`));
      await remove();
    });

    it("are what `ipam check` finds them to be, and nothing is left", async () => {
      const { code, stdout, stderr } = await execute(MARGAY, [
        ...["ipam", "check", "--socket", lab.agentSocket("host1")],
      ]);
      assert.equal(code, 0, stdout + stderr);
    });

    it("are sent in the clear by IPv6 alone where WireGuard is on, and nodes say so", async () => {
      await patch(lab, FELIX_KEY, { spec: { wireguardEnabled: true } });
      const [four, six] = (await lab.container("c")).addresses.map((address) => address.split("/")[0] ?? "");
      const routeTo = (ip = ""): Promise<string> => lab.exec("host1", "ip", "route", "get", ip);
      await eventually(async () => (await routeTo(four)).includes("wireguard.cali"), "encryption of IPv4");
      assert.doesNotMatch(await routeTo(six), /wireguard/);
      const said = "wireguard: packets are not encrypted: those of IPv6, for it carries IPv4 alone";
      await eventuallyEqual(async () => (await agentStatus(lab, "host1")).degraded.join("; "), said);
      assert.match((await node(lab, "host1", "status")).stdout, new RegExp(said));
    });
  });
}
