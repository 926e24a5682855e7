// SPDX-License-Identifier: Apache-2.0
// Routers that are not BIRD: what they hear of containers, and what hosts believe of them.
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { apply, reaches, remove, resource, routeTo, sessionWith, told, writeSecret } from "./bgp-harness.ts";
import { type Lab, createLab, eventually, execute } from "./harness.ts";

const TOR = "192.168.0.1";
const PEER = { peerIP: TOR, asNumber: 64999 };
const POOL = "10.1.0.0/16";
/** What FRR's topology has behind the router. */
const BEHIND = "198.51.100.0/24";

interface Router {
  /** Has it speak with nobody any more that does not know the password. */
  readonly demand: (lab: Lab, password: string) => Promise<void>;
  /** Prefixes of the pool that it has, each with its communities as it writes them. */
  readonly routes: (lab: Lab) => Promise<ReadonlyMap<string, string>>;
}

const ROUTERS: Readonly<Record<"frr" | "gobgp", Router>> = {
  frr: {
    async demand(lab, password) {
      const lines = ["configure terminal", "router bgp 64999", `neighbor hosts password ${password}`];
      const args = lines.flatMap((line) => ["-c", line]);
      assert.equal((await execute("vtysh", ["-N", `margay-${lab.name}-tor`, ...args])).code, 0);
    },
    async routes(lab) {
      const found = new Map<string, string>();
      for (const prefix of Object.keys(await vtysh(lab, "show bgp ipv4 unicast json", "routes"))) {
        const paths = (await vtysh(lab, `show bgp ipv4 unicast ${prefix} json`, "paths")) as Record<
          string,
          unknown
        >;
        if (prefix.startsWith("10.1.")) found.set(prefix, JSON.stringify(Object.values(paths)));
      }
      return found;
    },
  },
  gobgp: {
    async demand(lab, password) {
      // It takes passwords from its configuration alone, and for neighbours that it knows by their addresses.
      const file = `/run/margay/lab/${lab.name}/tor/gobgp.toml`;
      const neighbors = ["192.168.0.101", "192.168.0.102"].map((address) => neighborWith(address, password));
      const others = readFileSync(file, "utf8").replace(
        /^\[\[peer-groups\]\][^]*?(?=^\[\[neighbors\]\])/m,
        "",
      );
      writeFileSync(file, others + neighbors.join(""));
      const { stdout } = await execute("ip", ["netns", "pids", `margay-${lab.name}-tor`]);
      const isGobgp = (pid: string): boolean => readFileSync(`/proc/${pid}/comm`, "utf8") === "gobgpd\n";
      const pids = stdout.trim().split("\n").filter(isGobgp);
      for (const pid of pids) process.kill(Number(pid));
      // Until then it has the ports.
      await eventually(() => Promise.resolve(!pids.some((pid) => existsSync(`/proc/${pid}`))), "its end");
      const options = ["-f", file, "-t", "toml", "--api-hosts", "127.0.0.1:50051", "--pprof-disable"];
      const next = lab.start("tor", "gobgpd", ...options);
      for (const output of [next.stdout, next.stderr]) output?.resume();
    },
    async routes(lab) {
      const rib = JSON.parse(await lab.exec("tor", "gobgp", "global", "rib", "-j")) as Record<
        string,
        unknown
      >;
      return new Map(Object.entries(rib).map(([prefix, paths]) => [prefix, JSON.stringify(paths)]));
    },
  },
};

function neighborWith(address: string, password: string): string {
  return `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address}"
    peer-as = 64512
    auth-password = "${password}"
  [neighbors.transport.config]
    passive-mode = true
`;
}

/** A part of what FRR answers in JSON. */
async function vtysh(lab: Lab, command: string, part: string): Promise<object> {
  const { stdout } = await execute("vtysh", ["-N", `margay-${lab.name}-tor`, "-c", command]);
  const answer = (stdout.trim() === "" ? {} : JSON.parse(stdout)) as Record<string, object>;
  return answer[part] ?? {};
}

for (const [kind, router] of Object.entries(ROUTERS)) {
  describe(`a router run by ${kind}`, () => {
    let lab: Lab;
    before(async () => {
      const topology = new URL(`../../src/lab/topologies/top-of-rack-${kind}.yaml`, import.meta.url);
      lab = await createLab({ topology: fileURLToPath(topology) });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    const hasBlocks = async (count: number): Promise<boolean> => (await router.routes(lab)).size === count;
    const speaks = async (): Promise<boolean> =>
      (await sessionWith(lab, "host1", TOR))?.state === "Established";

    /** The block that the host holds. */
    const blockOf = async (host: string): Promise<string> => {
      const [, block = assert.fail(`${host} has no block`)] = (
        await lab.exec(host, "ip", "route", "show", "type", "blackhole")
      ).split(" ");
      return block;
    };
    /** Whether host1's kernel has one route to the prefix, of BIRD by that way. */
    const isSole = async (prefix: string, via: string, metric: number): Promise<boolean> =>
      (await routeTo(lab, "host1", prefix)).trim() ===
      `${prefix} via ${via} dev eth0 proto bird metric ${metric}`;

    it("leads packets from beyond it to containers, and back", async () => {
      for (const container of ["a", "b"]) {
        const address = await lab.address(container);
        await eventually(() => reaches(lab, "client", address), `client to ${container}`);
        await eventually(() => reaches(lab, container, "203.0.113.10"), `${container} to client`);
      }
      assert.equal((await router.routes(lab)).size, 2);
    });

    it("sees the communities that routes are announced with", async () => {
      const communities = [{ name: "rack", value: "64512:100" }];
      const prefixAdvertisements = [{ cidr: POOL, communities: ["rack", "64512:100:200"] }];
      await apply(lab, resource("BGPConfiguration", "default", { communities, prefixAdvertisements }));
      const wanted = kind === "frr" ? [/64512:100\b/, /64512:100:200/] : [/6[45]/, /4227858532|64512:100/];
      const isSeen = async (): Promise<boolean> => {
        const paths = [...(await router.routes(lab)).values()];
        return paths.length === 2 && paths.every((path) => wanted.every((pattern) => pattern.test(path)));
      };
      await eventually(isSeen, "the communities");
      await apply(lab, resource("BGPConfiguration", "default", {}));
    });

    it("hears nothing of what a filter keeps from it, and hears of it once the filter is gone", async () => {
      const exportV4 = [{ cidr: POOL, matchOperator: "In", action: "Reject" }];
      await apply(lab, resource("BGPFilter", "quiet", { exportV4 }));
      await apply(lab, resource("BGPPeer", "tor", { ...PEER, filters: ["quiet"] }));
      await eventually(() => hasBlocks(0), "silence");
      assert.ok(await speaks());
      await apply(lab, resource("BGPPeer", "tor", PEER));
      await eventually(() => hasBlocks(2), "routes");
      await remove(lab, "BGPFilter", "quiet");
    });

    it("is judged by a filter that matches nothing as by none, and by one that is not there, which is told", async () => {
      const importV4 = [{ cidr: "192.0.2.0/24", matchOperator: "Equal", action: "Reject" }];
      await apply(lab, resource("BGPFilter", "nothing", { importV4 }));
      await apply(lab, resource("BGPPeer", "tor", { ...PEER, filters: ["nothing", "absent"] }));
      const said = async (): Promise<boolean> =>
        (await told(lab, "host1")).degraded.some((line) =>
          line.includes('BGPFilter "absent", which is not there'),
        );
      await eventually(said, "being told");
      assert.ok(await hasBlocks(2));
      await apply(lab, resource("BGPPeer", "tor", PEER));
    });

    const isBelieved = async (): Promise<boolean> =>
      (await routeTo(lab, "host1", BEHIND)).includes(`via ${TOR} dev eth0 proto bird`);

    if (kind === "frr")
      it("is believed in what is behind it, unless a filter says no", async () => {
        await eventually(isBelieved, "the route");
        const importV4 = [{ cidr: BEHIND, matchOperator: "In", action: "Reject" }];
        await apply(lab, resource("BGPFilter", "deaf", { importV4 }));
        await apply(lab, resource("BGPPeer", "tor", { ...PEER, filters: ["deaf"] }));
        await eventually(async () => !(await isBelieved()), "its end");
        await apply(lab, resource("BGPPeer", "tor", PEER));
        await eventually(isBelieved, "the route again");
        await remove(lab, "BGPFilter", "deaf");
      });

    if (kind === "frr")
      it("has routes in the kernel by the metric that a filter sets, and by where they lead", async () => {
        const judge = async (rules: readonly object[], metric: number): Promise<void> => {
          const peer = { ...PEER, filters: ["metrics"] };
          await apply(
            lab,
            resource("BGPFilter", "metrics", { importV4: rules }),
            resource("BGPPeer", "tor", peer),
          );
          await eventually(() => isSole(BEHIND, TOR, metric), `metric ${metric}`);
          // What no filter gives a metric keeps the usual one.
          assert.ok(await isSole(await blockOf("host2"), "192.168.0.102", 32));
        };
        const set = (value: number): object => ({
          action: "Accept",
          operations: [{ setPriority: { value } }],
        });
        const inside = { cidr: BEHIND, matchOperator: "In" };
        await judge([{ ...inside, ...set(77) }], 77);
        await judge(
          [
            { interface: "wlan*", action: "Reject" },
            { ...inside, interface: "eth*", ...set(64) },
          ],
          64,
        );
        await apply(lab, resource("BGPPeer", "tor", PEER));
        await eventually(() => isSole(BEHIND, TOR, 32), "the usual metric");
      });

    if (kind === "frr")
      it("apart, nodes tell each other metrics, which filters know again", async () => {
        const told = { cidr: POOL, matchOperator: "In", action: "Accept" };
        const exportV4 = [{ ...told, operations: [{ setPriority: { value: 500 } }] }];
        const importV4 = [
          { ...told, priority: 32, operations: [{ setPriority: { value: 700 } }] },
          { ...told, priority: 500, operations: [{ setPriority: { value: 600 } }] },
        ];
        const pair = { nodeSelector: "all()", peerSelector: "all()", filters: ["metrics"] };
        await apply(
          lab,
          resource("BGPFilter", "metrics", { importV4, exportV4 }),
          resource("BGPPeer", "pair", pair),
        );
        const block = await blockOf("host2");
        await eventually(() => isSole(block, "192.168.0.102", 600), "the metric");
        await remove(lab, "BGPPeer", "pair");
      });

    // FRR offers a long-lived graceful restart, which BIRD would take silence for.
    if (kind === "frr")
      it("is given up when it has been silent for the hold time, and not waited for as one that restarts", async () => {
        await lab.exec("underlay", "ip", "link", "set", "tor.0", "down");
        try {
          await eventually(async () => !(await speaks()), "the end of the session");
          assert.equal((await sessionWith(lab, "host1", TOR))?.peerRestarting, false);
          await eventually(async () => !(await isBelieved()), "the end of the route");
        } finally {
          await lab.exec("underlay", "ip", "link", "set", "tor.0", "up");
        }
        await eventually(isBelieved, "the route again");
      });

    it("of another autonomous system than expected is not spoken with, which is told while the nodes' own sessions go on", async () => {
      await apply(lab, resource("BGPPeer", "tor", { ...PEER, asNumber: 64998 }));
      const said = async (): Promise<boolean> =>
        (await told(lab, "host1")).degraded.some((line) =>
          /no session with BGPPeer "tor".*Bad peer AS/.test(line),
        );
      await eventually(said, "being told");
      const b = await lab.address("b");
      await eventually(() => reaches(lab, "a", b), "a to b");
      await apply(lab, resource("BGPPeer", "tor", PEER));
      await eventually(speaks, "the session");
    });

    it("wants a password, and is spoken with by the right one alone", async () => {
      await router.demand(lab, "right");
      await eventually(async () => !(await speaks()), "the end of the session without a password");
      const password = { secretKeyRef: { name: "routers", key: "tor" } };
      await apply(lab, resource("BGPPeer", "tor", { ...PEER, password }));
      const isMissed = async (): Promise<boolean> =>
        (await told(lab, "host1")).degraded.some((line) =>
          /BGPPeer "tor": no password: .*routers\/tor/.test(line),
        );
      await eventually(isMissed, "the password being missed");
      for (const [text, isRight] of [
        ["wrong", false],
        ["right", true],
      ] as const) {
        writeSecret(lab, "routers", "tor", text);
        await eventually(
          async () => (await speaks()) === isRight && !(await isMissed()),
          `the ${text} password`,
        );
      }
      const { stdout } = await execute("grep", [
        "-rl",
        'password "',
        `/run/margay/lab/${lab.name}`,
        "--include=*.log",
      ]);
      assert.equal(stdout, "", "no log has it");
    });
  });
}
