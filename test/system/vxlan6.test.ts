// SPDX-License-Identifier: Apache-2.0
// VXLAN for IPv6: what containers and the underlay see of it, and a pool's mode changed while packets flow.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { resourcePrefix } from "../../src/model/keys.ts";
import {
  damage,
  type Lab,
  agentStatus,
  createLab,
  eventually,
  eventuallyEqual,
  lossDuring,
  pause,
  readStore,
} from "./harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";
import { type Mode, failedPairs, setMode, streamDuring } from "./tunnel-harness.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/dual-stack.yaml", import.meta.url));
const POOL6 = "default-ipv6-ippool";
const DEVICE = "vxlan-v6.calico";
/** 0x66, and the first five octets of the SHA-1 of "host1-v6". */
const MAC = "66:ef:c9:cf:0a:48";

async function address6(lab: Lab, container: string): Promise<string> {
  return (await lab.container(container)).addresses[1]?.split("/")[0] ?? assert.fail();
}

async function isInForce(lab: Lab, isByTunnel: boolean): Promise<boolean> {
  for (const [host, other] of [
    ["host1", "d"],
    ["host2", "a"],
  ] as const) {
    const route = await lab.exec(host, "ip", "-6", "route", "get", await address6(lab, other));
    const { ready, degraded } = await agentStatus(lab, host);
    if (route.includes(DEVICE) !== isByTunnel || !ready || degraded.length > 0) return false;
  }
  return true;
}

async function changeMode(lab: Lab, mode: Mode, isByTunnel: boolean): Promise<void> {
  await setMode(lab, mode, POOL6);
  await eventually(() => isInForce(lab, isByTunnel), `${JSON.stringify(mode)} in force`);
}

/** What tcpdump tells of datagrams and of echoes on the host's underlay interface. */
async function capture(
  lab: Lab,
  during: () => Promise<void>,
  isEnough: (seen: string) => boolean,
): Promise<string> {
  const tcpdump = lab.start("host2", "tcpdump", "-n", "-l", "-vv", "-i", "eth0", "ip6 and (udp or icmp6)");
  let seen = "";
  tcpdump.stdout?.setEncoding("utf8").on("data", (text: string) => (seen += text));
  await once(tcpdump.stderr ?? assert.fail(), "data");
  await during();
  await eventually(() => Promise.resolve(isEnough(seen)), "packets on the underlay");
  await ended(tcpdump, "SIGINT");
  return seen;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await once(child, "close");
}

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`VXLAN for IPv6, other routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ routeSource, topology: TOPOLOGY });
      await changeMode(lab, { vxlanMode: "Always" }, true);
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    it("carries every pair's packets, and leaves those of IPv4 as they are", async () => {
      assert.deepEqual(await failedPairs(lab), []);
      const route = await lab.exec("host1", "ip", "route", "get", await lab.address("d"));
      assert.match(route, /via 192\.168\.0\.102 dev eth0/);
      assert.doesNotMatch(await lab.exec("host1", "ip", "-br", "link"), /vxlan\.calico/);
    });

    it("has outer packets from node to node on UDP port 4789, with checksums, and nothing of containers' own", async () => {
      const [a, d] = [await address6(lab, "a"), await address6(lab, "d")];
      const seen = await capture(
        lab,
        async () => {
          await lab.exec("a", "ping", "-6", "-n", "-c", "2", "-i", "0.05", "-W", PING_PATIENCE_S, d);
        },
        (text) => (text.match(/echo reply/g) ?? []).length >= 2,
      );
      const lines = seen.split("\n");
      const at = lines.findIndex((line) => line.includes("fd00:1::101") && line.includes("fd00:1::102.4789"));
      assert.ok(at >= 0, seen);
      assert.match(
        lines[at] ?? "",
        /\[(bad )?udp (sum ok|cksum [^\]]*)\] VXLAN, flags \[I\] \(0x08\), vni 4096/,
      );
      assert.doesNotMatch(lines[at] ?? "", /no cksum/);
      // Every line of an inner packet follows one of the outer's.
      const inner = lines.flatMap((line, index) => (line.includes(`${a} > ${d}`) ? [index] : []));
      assert.ok(inner.length > 0, seen);
      for (const index of inner) assert.match(lines[index - 1] ?? "", /VXLAN/, seen);
    });

    it("stands as Calico records it, on a device small enough for the outer headers", async () => {
      const { tunnels, mtu } = await agentStatus(lab, "host1");
      const end = tunnels.find(({ kind }) => kind === "vxlan6") ?? assert.fail(JSON.stringify(tunnels));
      assert.deepEqual([end.mtu, mtu.containers], [1430, 1430]);
      const record = (await readStore(lab, `${resourcePrefix("Node")}host1`)).values().next().value ?? "";
      const { spec } = JSON.parse(record) as { readonly spec: Readonly<Record<string, string>> };
      const recorded = [
        spec["ipv6VXLANTunnelAddr"],
        spec["vxlanTunnelMACAddrV6"],
        spec["ipv4VXLANTunnelAddr"],
      ];
      assert.deepEqual(recorded, [end.address, MAC, undefined]);
      const handles = await readStore(lab, "/calico/ipam/v2/handle/vxlan-v6-tunnel-addr-host1");
      assert.equal(handles.size, 1);
      const shown = await lab.exec("host1", "ip", "-d", "addr", "show", DEVICE);
      assert.match(shown, /mtu 1430 /);
      assert.match(
        shown,
        /id 4096 local fd00:1::101 .*dstport 4789 nolearning .*noudp6zerocsumtx udp6zerocsumrx/,
      );
      // Local containers hear the node by its own address, as in IPv4.
      assert.match(shown, new RegExp(`inet6 ${end.address}/128 scope global .*deprecated`));
      const d = await address6(lab, "d");
      await lab.exec(
        "a",
        "ping",
        "-6",
        "-n",
        "-c",
        "1",
        "-W",
        PING_PATIENCE_S,
        "-M",
        "do",
        "-s",
        String(1430 - 48),
        d,
      );
      // The node itself sends from its end.
      await lab.exec("host1", "ping", "-6", "-n", "-c", "1", "-W", PING_PATIENCE_S, d);
      assert.match(await lab.exec("host1", "ip", "-6", "route", "get", d), new RegExp(`src ${end.address} `));
    });

    for (const [what, ...command] of [
      ["the device deleted", "ip", "link", "del", DEVICE],
      ["it set down", "ip", "link", "set", DEVICE, "down"],
      ["its address removed", "ip", "-6", "addr", "flush", "dev", DEVICE],
      ["its neighbour entries removed", "ip", "-6", "neigh", "flush", "dev", DEVICE, "nud", "permanent"],
      ["its routes removed", "ip", "-6", "route", "flush", "proto", "80"],
    ] as const) {
      it(`is repaired by event with ${what}`, async () => {
        const look = async (): Promise<string> => {
          const parts = [
            await lab.exec("host1", "sh", "-c", `ip -6 -br addr show dev ${DEVICE} scope global || true`),
            await lab.exec("host1", "sh", "-c", `ip -6 neigh show dev ${DEVICE} nud permanent || true`),
            await lab.exec("host1", "sh", "-c", `bridge fdb show dev ${DEVICE} || true`),
            await lab.exec("host1", "sh", "-c", `ip -6 route show proto 80 | sort`),
          ];
          return parts.join("").replaceAll(/\bif\d+|pref medium/g, "");
        };
        const whole = await look();
        await damage(lab, "host1", command);
        await eventuallyEqual(look, whole);
        await lab.exec("a", "ping", "-6", "-n", "-c", "1", "-W", PING_PATIENCE_S, await address6(lab, "d"));
      });
    }

    it("begins, ends and changes, and neither a ping nor a stream loses anything", async () => {
      const d = await address6(lab, "d");
      const changes = async (): Promise<void> => {
        for (const [mode, isByTunnel] of [
          [{}, false],
          [{ vxlanMode: "CrossSubnet" }, false],
          [{ vxlanMode: "Always" }, true],
          [{}, false],
          [{ vxlanMode: "Always" }, true],
        ] as const) {
          await changeMode(lab, mode, isByTunnel);
          await pause(200);
        }
      };
      const c = await address6(lab, "c");
      const { lost, sent } = await lossDuring(lab, "a", d, () => streamDuring(lab, "b", "c", changes, c));
      assert.equal(lost, 0, `of ${sent}`);
    });

    it("leaves nothing where no pool wants it any more", async () => {
      await changeMode(lab, {}, false);
      await eventually(
        async () => !(await lab.exec("host1", "ip", "-br", "link")).includes(DEVICE),
        "the end of the device",
      );
      await eventually(
        async () => !(await lab.exec("host1", "nft", "list", "tables")).includes("ip6 margay"),
        "the end of its guard",
      );
      assert.doesNotMatch(await lab.exec("host1", "ip", "-6", "neigh"), new RegExp(DEVICE));
      assert.deepEqual(await failedPairs(lab), []);
    });
  });
}
