// SPDX-License-Identifier: Apache-2.0
// `margay doctor`: labs that are well are never accused; faults that are made one by one are named, each with a remedy that works.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { R0, assemble, exit, mov64 } from "../../src/dataplane/bpf/assembler.ts";
import { loadProgram } from "../../src/dataplane/bpf/program.ts";
import { openGenetlink } from "../../src/dataplane/netlink/genetlink.ts";
import { openNetns } from "../../src/dataplane/netlink/netns.ts";
import { openRtnetlink } from "../../src/dataplane/netlink/rtnetlink.ts";
import { replaceBpfFilter } from "../../src/dataplane/netlink/traffic-control.ts";
import { createWireguardDriver } from "../../src/dataplane/wireguard/any-driver.ts";
import type { WireguardDriver } from "../../src/dataplane/wireguard/driver.ts";
import { WIREGUARD_DEVICE } from "../../src/desired/wanted.ts";
import { parseIfName } from "../../src/net/if-name.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemProcesses } from "../../src/system/process.ts";
import {
  type Lab,
  MARGAY,
  createLab,
  eventually,
  eventuallyEqual,
  execute,
  killAgent,
  succeed,
} from "./harness.ts";
import { succeed as applyRequests, linkNamed } from "./netlink-harness.ts";
import { TWO_SUBNETS, failedPairs } from "./tunnel-harness.ts";

interface Check {
  readonly where: string;
  readonly name: string;
  readonly lookedAt: string;
  readonly result: string;
  readonly reason: string;
  readonly remedy: { readonly advice: string; readonly commands: readonly string[] } | null;
}

interface Report {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** `<result> <where> <name>: <what was looked at>` */
function describeCheck({ result, where, name, lookedAt }: Check): string {
  return `${result} ${where} ${name}: ${lookedAt}`;
}

/** busybox, which asks the kernel as well, says in words what it makes of the answer. */
const IS_CLOCK_KEPT = !execFileSync("busybox", ["adjtimex"], { encoding: "utf8" }).includes("UNSYNC");

/** Without what is said of the clock of the machine that the test runs on, which has to be true. */
function amiss({ ok, checks }: Report, code: number): readonly Check[] {
  const clock = checks.find(({ name, lookedAt }) => name === "clock" && lookedAt === "synchronisation");
  assert.equal(clock?.result, IS_CLOCK_KEPT ? "ok" : "warning");
  const found = checks.filter(
    (check) => check !== clock && (check.result === "fault" || check.result === "warning"),
  );
  assert.equal(
    ok,
    found.every(({ result }) => result !== "fault"),
  );
  assert.equal(code, ok ? 0 : 1);
  for (const { remedy } of found) assert.ok(remedy !== null && remedy.advice !== "");
  return found;
}

/** What is amiss in a whole lab, as somebody finds it who sits at the machine. */
async function examineLab(lab: Lab): Promise<string> {
  const { code, stdout } = await execute(MARGAY, ["lab", "doctor", "--name", lab.name, "--json"]);
  return amiss(JSON.parse(stdout) as Report, code)
    .map(describeCheck)
    .join("\n");
}

/** What is told on a host to somebody who sits there. */
async function reportOn(lab: Lab, host: string): Promise<readonly [Report, code: number]> {
  const { netns } = await lab.host(host);
  const words = [MARGAY, "doctor", "--socket", lab.agentSocket(host), "-o", "json"];
  const { code, stdout } = await execute("ip", ["netns", "exec", netns, ...words]);
  return [JSON.parse(stdout) as Report, code];
}

/** What is amiss there. */
async function examineHost(lab: Lab, host: string): Promise<readonly Check[]> {
  return amiss(...(await reportOn(lab, host)));
}

async function onHost(lab: Lab, host: string): Promise<string> {
  return (await examineHost(lab, host)).map(describeCheck).join("\n");
}

/** Waits until the line is among what is amiss on the host. */
async function untilNamed(lab: Lab, host: string, line: string): Promise<void> {
  await eventually(async () => (await onHost(lab, host)).split("\n").includes(line), line);
}

/** Somebody else's filter in the place of the programs for what comes in. The agent leaves it alone. */
async function putFilterInPlace(lab: Lab, host: string): Promise<void> {
  using netns = openNetns(`/run/netns/${(await lab.host(host)).netns}`);
  await using rtnetlink = openRtnetlink({ netns });
  const { index: ifIndex } = await linkNamed(rtnetlink, parseIfName("eth0"));
  using program = loadProgram("other", assemble([mov64(R0, 0), exit()], {}));
  const place = { ifIndex, direction: "ingress", priority: 80, handle: 1 } as const;
  await applyRequests(rtnetlink, replaceBpfFilter({ ...place, name: program.name, programFd: program.fd }));
}

async function namesForeignFilter(lab: Lab): Promise<void> {
  const device = await lab.exec("host1", "ip", "-br", "link", "show", "type", "ipip");
  // A kernel that has a device for IPIP needs no programs.
  if (device !== "") return;
  await putFilterInPlace(lab, "host1");
  await untilNamed(lab, "host1", "fault host1 desired ipip: programs");
  await lab.exec("host1", "tc", "filter", "del", "dev", "eth0", "ingress", "prio", "80");
  await eventuallyEqual(() => examineLab(lab), "");
}

/** The host's WireGuard device, by kernel or `wireguard-go`. */
async function withWireguard(
  lab: Lab,
  host: string,
  action: (driver: WireguardDriver) => Promise<void>,
): Promise<void> {
  using netns = openNetns(`/run/netns/${(await lab.host(host)).netns}`);
  await using rtnetlink = openRtnetlink({ netns });
  await using genetlink = openGenetlink({ netns });
  const collaborators = { rtnetlink, genetlink, processes: systemProcesses, clock: systemClock };
  const directory = `/run/margay/lab/${lab.name}/${host}/wireguard`;
  await action(createWireguardDriver(collaborators, { directory }));
}

/** The agent does not hear of it before its audit. */
async function namesMissingPeer(lab: Lab): Promise<void> {
  await withWireguard(lab, "host2", async (driver) => {
    const whole = (await driver.get(WIREGUARD_DEVICE)) ?? assert.fail("no device");
    const [peer] = whole.peers;
    const { publicKey, allowedIps, endpoint } = peer ?? assert.fail("no peer");
    await eventually(async () => {
      await driver.change(WIREGUARD_DEVICE, { peers: [{ kind: "remove", publicKey }] });
      const line = `fault host2 desired peer: ${publicKey} dev ${WIREGUARD_DEVICE}`;
      return (await onHost(lab, "host2")).split("\n").includes(line);
    }, "the peer's name");
    const back = { kind: "set", publicKey, allowedIps, ...(endpoint && { endpoint }) } as const;
    await driver.change(WIREGUARD_DEVICE, { peers: [back] });
  });
  await eventuallyEqual(() => examineLab(lab), "");
}

async function namesUnansweredPeer(lab: Lab): Promise<void> {
  const rule = "table inet mmt { chain input { type filter hook input priority 0; udp dport 51820 drop; }; }";
  await lab.exec("host2", "nft", rule);
  await succeed(MARGAY, ["node", "rotate-keys", "--socket", lab.agentSocket("host1")]);
  await untilNamed(lab, "host2", "warning host2 WireGuard handshake: 192.168.0.101");
  await lab.exec("host2", "nft", "delete", "table", "inet", "mmt");
  await eventuallyEqual(() => examineLab(lab), "");
}

describe("margay doctor", () => {
  let lab: Lab;
  let end: string;
  let address: string;
  before(async () => {
    lab = await createLab({ topology: TWO_SUBNETS });
    end = (await lab.container("b")).interface;
    address = await lab.address("b");
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  /** Fails where a remedy that the doctor has named cannot be carried out on the host. */
  const carryOut = async (host: string, { remedy }: Check): Promise<void> => {
    for (const command of remedy?.commands ?? []) await lab.exec(host, "sh", "-c", command);
  };

  it("accuses nobody in a lab that is well, and tells a person so", async () => {
    assert.equal(await examineLab(lab), "");
    assert.equal(await onHost(lab, "host3"), "");
    const text = await lab.margay("doctor");
    assert.match(text, /^(1 warning, )?\d+ checks? skipped, \d+ checks are well\n/);
    assert.match(text, /^ok +host1 +path +all nodes +3 ways take what may be sent$/m);
    assert.match(text, /^ok +host2 +BGP session +all peers +2 established$/m);
    assert.match(text, /^ok +cluster +version +agents of all nodes +\d+\.\d+\.\d+/m);
  });

  describe("on a host whose agent is stopped, and repairs nothing,", () => {
    let silent: string;
    let pid: number;
    before(async () => {
      silent = `fault this node agent: ${lab.agentSocket("host2")}`;
      pid = (await lab.host("host2")).agent?.pid ?? assert.fail("no agent on host2");
      process.kill(pid, "SIGSTOP");
    });
    after(async () => {
      process.kill(pid, "SIGCONT");
      await lab.exec("host2", "nft", "delete", "table", "inet", "mmt");
    });

    const rows: readonly {
      readonly what: string;
      readonly node: "host2" | "b";
      readonly fault: () => readonly string[];
      readonly named: () => string;
    }[] = [
      {
        what: "forwarding that is off",
        node: "host2",
        fault: () => ["sysctl", "-w", "net.ipv4.ip_forward=0"],
        named: () => "fault this node forwarding: net/ipv4/ip_forward",
      },
      {
        what: "a tunnel whose reverse path is strict",
        node: "host2",
        fault: () => ["sysctl", "-w", "net/ipv4/conf/vxlan.calico/rp_filter=1"],
        named: () => "warning this node reverse path: net/ipv4/conf/vxlan.calico/rp_filter",
      },
      {
        what: "a gateway that does not answer",
        node: "host2",
        fault: () => ["sysctl", "-w", `net/ipv4/conf/${end}/proxy_arp=0`],
        named: () => `fault this node proxy ARP: net/ipv4/conf/${end}/proxy_arp`,
      },
      {
        what: "a container's route that was deleted",
        node: "host2",
        fault: () => ["ip", "route", "del", `${address}/32`],
        named: () => `fault this node container route: ${address}/32 dev ${end}`,
      },
      {
        what: "a container's neighbour entry that was deleted",
        node: "host2",
        fault: () => ["ip", "neigh", "del", address, "dev", end],
        named: () => `warning this node container neighbour: ${address} dev ${end}`,
      },
      {
        what: "a tunnel device that is down",
        node: "host2",
        fault: () => ["ip", "link", "set", "vxlan.calico", "down"],
        named: () => "fault this node tunnel device: vxlan.calico",
      },
      {
        what: "a container with the wrong MTU",
        node: "b",
        fault: () => ["ip", "link", "set", "eth0", "mtu", "900"],
        named: () => `fault this node container MTU: ${end}`,
      },
      {
        what: "a firewall that drops what it does not know",
        node: "host2",
        fault: () => [
          "nft",
          "table inet mmt { chain forward { type filter hook forward priority 0; policy drop; }; }",
        ],
        named: () => "fault this node firewall: inet mmt forward",
      },
    ];
    for (const { what, node, fault, named } of rows)
      it(`names ${what}, and how it is repaired`, async () => {
        await lab.exec(node, ...fault());
        const [check, ...rest] = (await examineHost(lab, "host2")).filter(
          (one) => describeCheck(one) !== silent,
        );
        assert.deepEqual(rest, []);
        assert.equal(check && describeCheck(check), named());
        assert.notDeepEqual(check?.remedy?.commands, []);
        await carryOut("host2", check ?? assert.fail());
        assert.equal(await onHost(lab, "host2"), silent);
      });

    it("names a BIRD that was killed; an agent that goes on starts it again", async () => {
      const { bird } = await lab.host("host2");
      process.kill(bird?.pid ?? assert.fail("no BIRD on host2"), "SIGKILL");
      await eventually(async () => (await lab.host("host2")).bird === null, "the end of BIRD");
      assert.equal(await onHost(lab, "host2"), [silent, "fault this node BIRD: control socket"].join("\n"));
      process.kill(pid, "SIGCONT");
      await eventuallyEqual(() => examineLab(lab), "");
    });
  });

  it("names an agent that is gone", async () => {
    await killAgent(lab, "host3");
    const [check, ...rest] = await examineHost(lab, "host3");
    assert.deepEqual(rest, []);
    assert.equal(check && describeCheck(check), `fault this node agent: ${lab.agentSocket("host3")}`);
    assert.match(check?.remedy?.advice ?? "", /margay lab up/);
    await lab.repair();
    await eventuallyEqual(() => examineLab(lab), "");
  });

  it("names a route that somebody else has put before one of BIRD's", async () => {
    const other = await lab.address("a");
    await lab.exec("host2", "ip", "route", "add", `${other}/32`, "via", "192.168.1.1", "metric", "7");
    const [check, ...rest] = await examineHost(lab, "host2");
    assert.deepEqual(rest, []);
    assert.equal(check && describeCheck(check), `fault host2 foreign route: ${other}/32 metric 7`);
    assert.deepEqual(await failedPairs(lab), ["a b", "b a"]);
    await carryOut("host2", check ?? assert.fail());
    assert.deepEqual(await failedPairs(lab), []);
    assert.equal(await onHost(lab, "host2"), "");
  });

  it("names a table of nftables that somebody keeps from the agent", async () => {
    const { netns } = await lab.host("host1");
    const stdio = ["pipe", "ignore", "ignore"] as const;
    // What a process owns, nobody else may change; it goes with the process (nft(8), "owner").
    const owner = spawn("ip", ["netns", "exec", netns, "nft", "-i"], { stdio: [...stdio] });
    try {
      owner.stdin.write("delete table inet margay-source; add table inet margay-source { flags owner; }\n");
      // An nft whose JSON of such a table is broken, as that of 1.0.6 is, keeps it from being looked at.
      const isNamed = async (): Promise<boolean> =>
        (await reportOn(lab, "host1"))[0].checks.some(
          ({ name, result }) => name === "desired source" && ["fault", "skipped"].includes(result),
        );
      await eventually(isNamed, "the table's name");
    } finally {
      const ended = once(owner, "close");
      owner.stdin.end();
      await ended;
    }
    await eventuallyEqual(() => onHost(lab, "host1"), "");
  });

  it("names a network that carries less than it is thought to", async () => {
    const setRouter = async (mtu: number): Promise<void> => {
      for (const link of ["eth0", "eth1"])
        await lab.exec("router", "ip", "link", "set", link, "mtu", String(mtu));
    };
    await setRouter(1400);
    const [check, ...rest] = await examineHost(lab, "host1");
    assert.deepEqual(rest, []);
    assert.equal(check && describeCheck(check), "fault host1 path: host3 via underlay (192.168.2.103)");
    assert.match(
      check?.remedy?.advice ?? "",
      /^have the network carry 1500 octets, or set vxlanMTU .* to 1350$/,
    );
    await setRouter(1500);
    assert.equal(await onHost(lab, "host1"), "");
  });

  it("names a container that has set its link down, whose runtime makes it anew", async () => {
    await lab.margay("add", "x", "--host", "host1");
    const { interface: name } = await lab.container("x");
    await lab.exec("x", "ip", "link", "set", "eth0", "down");
    await eventuallyEqual(() => onHost(lab, "host1"), `warning host1 container link: ${name}`);
    await lab.margay("rm", "x");
    await eventuallyEqual(() => onHost(lab, "host1"), "");
  });

  it("names a record whose interface is gone, and an interface whose record is gone", async () => {
    await lab.margay("add", "y", "--host", "host1");
    const { interface: name } = await lab.container("y");
    await lab.exec("host1", "ip", "link", "del", name);
    await eventuallyEqual(() => onHost(lab, "host1"), `fault host1 desired link: ${name}`);
    await lab.margay("rm", "y");
    await eventuallyEqual(() => onHost(lab, "host1"), "");

    await lab.margay("add", "z", "--host", "host1");
    const { interface: other } = await lab.container("z");
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const { entries } = await store.list("/calico/resources/v3/projectcalico.org/workloadendpoints/");
    const record = entries.find(({ value }) => value.includes(other)) ?? assert.fail("no record");
    await store.delete(record.key);
    const link = `fault host1 container link: ${other}`;
    await eventually(async () => (await onHost(lab, "host1")).split("\n").includes(link), link);
    await lab.margay("rm", "z");
    await eventuallyEqual(() => onHost(lab, "host1"), "");
  });

  it("names two nodes that have one address", async () => {
    const node = { apiVersion: "projectcalico.org/v3", kind: "Node", metadata: { name: "host9" } };
    const manifest = JSON.stringify({ ...node, spec: { bgp: { ipv4Address: "192.168.1.102/24" } } });
    const where = ["--socket", lab.agentSocket("host1")];
    assert.equal((await execute(MARGAY, ["apply", "-f", "-", ...where], { stdin: manifest })).code, 0);
    const said = "fault cluster node address: 192.168.1.102";
    await eventually(async () => (await onHost(lab, "host3")).split("\n").includes(said), said);
    assert.equal((await execute(MARGAY, ["delete", "node", "host9", ...where])).code, 0);
    await eventuallyEqual(() => examineLab(lab), "");
  });

  it("names a handle that is gone from the datastore", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const { entries } = await store.list("/calico/ipam/v2/handle/");
    const handle = entries.find(({ key }) => key.includes("margay.")) ?? assert.fail("no handle");
    await store.delete(handle.key);
    const [check, ...rest] = await examineHost(lab, "host3");
    assert.deepEqual(rest, []);
    assert.match(check === undefined ? "" : describeCheck(check), /^warning cluster IPAM: margay\./);
    await store.put(handle.key, handle.value);
    await eventuallyEqual(() => examineLab(lab), "");
  });
});

describe("margay doctor accuses nobody", () => {
  const file = (name: string): string => new URL(name, import.meta.url).pathname;
  const rows = [
    ["where routes come from the datastore", undefined, "datastore", []],
    [
      "where containers have addresses of both families",
      "../../src/lab/topologies/dual-stack.yaml",
      "bird",
      [],
    ],
    ["where packets travel by IPIP", "two-subnets-ipip.yaml", "bird", [namesForeignFilter]],
    [
      "where packets are encrypted",
      "three-hosts-wireguard.yaml",
      "bird",
      [namesMissingPeer, namesUnansweredPeer],
    ],
  ] as const;
  for (const [what, topology, routeSource, damages] of rows)
    it(`${what}${damages.length > 0 ? ", and names what is damaged there" : ""}`, async () => {
      await using lab = await createLab({
        routeSource,
        ...(topology !== undefined && { topology: file(topology) }),
      });
      assert.equal(await examineLab(lab), "");
      for (const damage of damages) await damage(lab);
    });
});
