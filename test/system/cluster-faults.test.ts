// SPDX-License-Identifier: Apache-2.0
// Parts of a cluster on etcd die, freeze and are cut off while containers on healthy nodes talk: none of their packets is lost.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type Lab,
  MARGAY,
  type Outcome,
  agentStatus,
  createLab,
  eventually,
  execute,
  killAgent,
  killHost,
  lossDuring,
  node,
  pause,
  readStore,
  succeed,
} from "./harness.ts";
import { PING_ONCE } from "./patience.ts";
import { watchRoutes } from "./route-watch.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/three-hosts-etcd.yaml", import.meta.url));
const HOSTS = ["host1", "host2", "host3"];
const MEMBERS = ["etcd1", "etcd2", "etcd3"];
/** Longer than any answer is waited for, and any watch is silent. */
const OUTAGE_MS = 60_000;

/** Loses nothing from host1 to host2 meanwhile, in either direction, and these hosts are well afterwards. */
async function losesNothing(lab: Lab, during: () => Promise<void>, hosts = HOSTS): Promise<void> {
  const [a, d] = [await lab.address("a"), await lab.address("d")];
  const there = await lossDuring(lab, "a", d, async () => {
    const back = await lossDuring(lab, "d", a, during);
    assert.equal(back.lost, 0, `of ${back.sent} from d to a`);
  });
  assert.equal(there.lost, 0, `of ${there.sent} from a to d`);
  await isWell(lab, hosts);
}

async function isWell(lab: Lab, hosts = HOSTS): Promise<void> {
  for (const host of hosts) await isReady(lab, host);
  if (hosts.length < HOSTS.length) return;
  const report = JSON.parse(await lab.margay("check", "--json")) as { ok: boolean };
  assert.equal(report.ok, true);
}

async function isReady(lab: Lab, host: string): Promise<void> {
  await eventually(async () => {
    const { ready, degraded } = await agentStatus(lab, host);
    return ready && degraded.length === 0;
  }, `${host} being well`);
}

async function signalMember(lab: Lab, name: string, signal: NodeJS.Signals): Promise<void> {
  const member = (await lab.status()).etcd.find((candidate) => candidate.name === name);
  process.kill(member?.process?.pid ?? assert.fail(`no ${name}`), signal);
}

async function setCable(lab: Lab, host: string, state: "up" | "down"): Promise<void> {
  await lab.exec("underlay", "ip", "link", "set", host, state);
}

/** Says something to etcd by its JSON gateway. */
async function askEtcd(lab: Lab, path: string, body: object, token = ""): Promise<unknown> {
  const script = `const [url, body, authorization] = process.argv.slice(1);
    fetch(url, { method: "POST", body, headers: authorization ? { authorization } : {} }).then((r) => r.text()).then(console.log)`;
  const url = `http://192.168.0.11:2379/v3/${path}`;
  const args = ["-e", script, "--", url, JSON.stringify(body), token];
  return JSON.parse(await lab.exec("host1", process.execPath, ...args));
}

async function compact(lab: Lab): Promise<void> {
  let revision: string | undefined;
  // A member without a leader tells no revision.
  await eventually(async () => {
    const { header } = (await askEtcd(lab, "kv/range", { key: "Lw==" })) as { header?: { revision: string } };
    revision = header?.revision;
    return revision !== undefined;
  }, "a revision");
  await askEtcd(lab, "kv/compaction", { revision, physical: true });
}

describe("a cluster on etcd that is away for a minute", () => {
  it("forwards as before, with either source of routes, and takes no changes", async () => {
    const stack = new AsyncDisposableStack();
    const create = async (routeSource: "bird" | "datastore"): Promise<Lab> =>
      stack.use(await createLab({ routeSource, topology: TOPOLOGY }));
    await using _all = stack;
    const labs = [await create("bird"), await create("datastore")];
    await Promise.all(
      labs.map((lab) =>
        losesNothing(lab, async () => {
          for (const member of MEMBERS) await signalMember(lab, member, "SIGSTOP");
          await pause(OUTAGE_MS);
          const { reasons } = await agentStatus(lab, "host1");
          assert.match(reasons.join("\n"), /^datastore: Cannot .* etcd at "http:\/\/192\.168\.0\.1/m);
          for (const member of MEMBERS) await signalMember(lab, member, "SIGCONT");
        }),
      ),
    );
  });
});

for (const routeSource of ["bird", "datastore"] as const) {
  describe(`a cluster on etcd, routes by ${routeSource}`, () => {
    let lab: Lab;
    before(async () => {
      lab = await createLab({ routeSource, topology: TOPOLOGY });
    });
    after(async () => {
      await lab[Symbol.asyncDispose]();
    });

    it("keeps what nodes share in etcd, where Calico would look for it", async () => {
      const nodes = [...(await readStore(lab, "/calico/resources/v3/projectcalico.org/nodes/")).keys()];
      assert.deepEqual(
        nodes.map((key) => key.split("/").at(-1)),
        HOSTS,
      );
    });

    it("loses nothing while an agent dies, and is replaced", async () => {
      await losesNothing(lab, async () => {
        await killAgent(lab, "host1");
        await killAgent(lab, "host2", "SIGTERM");
        await lab.repair();
      });
    });

    it("loses nothing while one member of etcd dies, and attaches containers meanwhile", async () => {
      await losesNothing(lab, async () => {
        await signalMember(lab, "etcd1", "SIGKILL");
        await lab.margay("add", "late", "--host", "host1");
        await lab.exec("c", ...PING_ONCE, await lab.address("late"));
        await lab.margay("rm", "late");
      });
      await lab.repair();
    });

    it("loses nothing while all members die, and come back", async () => {
      await losesNothing(lab, async () => {
        for (const member of MEMBERS) await signalMember(lab, member, "SIGKILL");
        await eventually(async () => !(await agentStatus(lab, "host1")).ready, "noticing");
        await lab.repair();
      });
    });

    it("loses nothing while a third node is cut off, which deletes nothing, and takes up what changed before a compaction", async () => {
      await using watch = await watchRoutes(lab, "host3");
      await losesNothing(lab, async () => {
        await setCable(lab, "host3", "down");
        await eventually(async () => !(await agentStatus(lab, "host3")).ready, "noticing");
        await lab.margay("add", "late", "--host", "host1");
        await compact(lab);
        await setCable(lab, "host3", "up");
        await isReady(lab, "host3");
        await lab.exec("e", ...PING_ONCE, await lab.address("late"));
      });
      const deleted = await watch.deleted();
      assert.deepEqual(
        deleted.filter((dst) => dst.startsWith("10.1.")),
        [],
      );
      await lab.margay("rm", "late");
    });

    it("loses nothing but its own containers when a node dies, and has its addresses back once it is deleted", async () => {
      const address = await lab.address("e");
      await losesNothing(lab, async () => {
        if (routeSource === "bird") await killHost(lab, "host3");
        else await killAgent(lab, "host3");
        await setCable(lab, "host3", "down");
        await pause(1000);
        await succeed(MARGAY, ["delete", "node", "host3", "--force", "--socket", lab.agentSocket("host1")]);
        const isBack = async (): Promise<boolean> => (await ipam("show", "--ip", address)).code === 3;
        await eventually(isBack, "its addresses");
      }, ["host1", "host2"]);
      const isInOrder = async (): Promise<boolean> =>
        (await ipam("check")).code === 0 && !(await ipam("show", "--show-blocks")).stdout.includes("host3");
      await eventually(isInOrder, "nothing left of host3");
    });

    const ipam = (...args: readonly string[]): Promise<Outcome> =>
      execute(MARGAY, ["ipam", ...args, "--socket", lab.agentSocket("host1")]);
  });
}

describe("a cluster on an etcd with users", () => {
  it("says that etcd lets a node in no more, loses nothing, and goes on once it does", async () => {
    await using lab = await createLab({ routeSource: "datastore", topology: TOPOLOGY });
    const root = { name: "root", password: "secret" };
    await losesNothing(lab, async () => {
      await askEtcd(lab, "auth/user/add", root);
      await askEtcd(lab, "auth/user/grant", { user: "root", role: "root" });
      await askEtcd(lab, "auth/enable", {});
      await killAgent(lab, "host3");
      const agent = lab.start(
        "host3",
        MARGAY,
        "agent",
        "--config",
        `/run/margay/lab/${lab.name}/host3/agent.json`,
      );
      const isTold = async (): Promise<boolean> =>
        /datastore: .*etcd.*: etcdserver: user name is empty/.test(
          (await node(lab, "host3", "status")).stdout,
        );
      await eventually(isTold, "being told");
      const { token } = (await askEtcd(lab, "auth/authenticate", root)) as { token: string };
      await askEtcd(lab, "auth/disable", {}, token);
      await isReady(lab, "host3");
      agent.kill();
      await once(agent, "close");
      await lab.repair();
    });
  });
});
