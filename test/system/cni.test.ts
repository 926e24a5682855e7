// SPDX-License-Identifier: Apache-2.0
// The plugin as a runtime sees it: an executable, its environment, its two streams.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { blockPrefix, resourceKey, resourcePrefix } from "../../src/model/keys.ts";
import { type Failure, type Result, callVariables, networkConfig } from "./cni-runtime.ts";
import {
  type Lab,
  type Outcome,
  MARGAY_CNI,
  agentStatus,
  callCni,
  createLab,
  eventually,
  execute,
  killAgent,
  readStore,
  settled,
  succeed,
} from "./harness.ts";
import { patch } from "./tunnel-harness.ts";

describe("the CNI plugin", () => {
  let lab: Lab;
  let netns: string;
  before(async () => {
    lab = await createLab({ routeSource: "datastore" });
    netns = `${lab.name}cni`;
    await succeed("ip", ["netns", "add", netns]);
  });
  after(async () => {
    await succeed("ip", ["netns", "del", netns]);
    await lab[Symbol.asyncDispose]();
  });

  const environment = (
    command: string,
    more: Readonly<Record<string, string>> = {},
  ): Record<string, string> => ({ ...callVariables(command, "cni-test", netns), ...more });
  const call = (
    command: string,
    config: object = {},
    more: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> => callCni(networkConfig(lab, config), environment(command, more));
  const add = async (config: object = {}): Promise<Result> => {
    const { code, stdout } = await call("ADD", config);
    assert.equal(code, 0, stdout);
    return JSON.parse(stdout) as Result;
  };
  const failure = ({ code, stdout }: Outcome): Failure => {
    assert.equal(code, 1, stdout);
    return JSON.parse(stdout) as Failure;
  };
  /** What there is of containers on the host, in its datastore's words and the kernel's. */
  const inventory = async (): Promise<string> => {
    const { dataplane } = await agentStatus(lab, "host1");
    return [
      await lab.exec("host1", "ip", "route"),
      await lab.exec("host1", "ip", "-br", "link"),
      JSON.stringify(dataplane.wanted),
    ].join("\n");
  };
  /** Carries out what must leave the host, the kernel's part and the datastore's, exactly as it was. */
  const changingNothing = async (action: () => Promise<void>): Promise<void> => {
    const look = async (): Promise<string> =>
      [await inventory(), ...Array.from(await readStore(lab), (entry) => entry.join(" "))].join("\n");
    const start = await settled(look);
    await action();
    assert.equal(await look(), start);
  };
  /** An ADD that changes nothing and fails. */
  const refusesToAdd = async (
    code: number,
    message: RegExp,
    config: object,
    env: Readonly<Record<string, string>>,
  ): Promise<void> => {
    await changingNothing(async () => {
      const refused = failure(await call("ADD", config, env));
      assert.equal(refused.code, code, refused.msg);
      assert.match(refused.msg, message);
    });
  };
  const isAttached = async (): Promise<boolean> =>
    (await succeed("ip", ["-n", netns, "-br", "link"])).includes("eth0");

  it("tells its versions, also where no agent runs", async () => {
    const { stdout, code } = await execute(MARGAY_CNI, [], {
      stdin: '{"cniVersion":"1.0.0"}',
      env: { CNI_COMMAND: "VERSION" },
    });
    assert.equal(code, 0);
    const supportedVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
    assert.deepEqual(JSON.parse(stdout), { cniVersion: "1.0.0", supportedVersions });
  });

  for (const cniVersion of ["0.4.0", "1.0.0", "1.1.0"]) {
    it(`adds, checks and deletes with results of ${cniVersion}`, async () => {
      const start = await settled(inventory);
      const result = await add({ cniVersion });
      assert.equal(result.cniVersion, cniVersion);
      assert.match(result.ips[0]?.address ?? "", /^10\.1\.\d+\.\d+\/32$/);
      assert.equal(result.ips[0]?.version, cniVersion === "0.4.0" ? "4" : undefined);
      assert.equal(result.interfaces[result.ips[0]?.interface ?? -1]?.sandbox, `/run/netns/${netns}`);
      assert.equal(await isAttached(), true);
      const checked = await call("CHECK", { cniVersion, prevResult: result });
      assert.deepEqual([checked.code, checked.stdout], [0, ""], checked.stdout);
      const deleted = await call("DEL", { cniVersion, prevResult: result });
      assert.deepEqual([deleted.code, deleted.stdout], [0, ""], deleted.stdout);
      assert.equal(await isAttached(), false);
      await eventually(async () => (await inventory()) === start, "the host as it was");
    });
  }

  it("deletes again and again, without the namespace, and what never was", async () => {
    await add();
    for (const CNI_NETNS of [`/run/netns/${netns}`, `/run/netns/${netns}`, "", "/run/netns/gone"]) {
      assert.deepEqual(await call("DEL", {}, { CNI_NETNS }), { code: 0, stdout: "", stderr: "" });
    }
    assert.equal((await call("DEL", {}, { CNI_CONTAINERID: "never-was" })).code, 0);
  });

  it("deletes a container whose namespace went away with its interface", async () => {
    const start = await settled(inventory);
    await add();
    await succeed("ip", ["netns", "del", netns]);
    assert.equal((await call("DEL")).code, 0);
    await succeed("ip", ["netns", "add", netns]);
    await eventually(async () => (await inventory()) === start, "the host as it was");
  });

  const refusals: readonly (readonly [
    what: string,
    code: number,
    message: RegExp,
    config: object,
    env: Readonly<Record<string, string>>,
  ])[] = [
    ["an unknown version", 1, /"2\.0\.0"/, { cniVersion: "2.0.0" }, {}],
    ["an unknown field", 2, /"frob" with value 1/, { frob: 1 }, {}],
    ["a missing container ID", 4, /CNI_CONTAINERID not set/, {}, { CNI_CONTAINERID: "" }],
    ["a missing namespace", 4, /CNI_NETNS not set/, {}, { CNI_NETNS: "" }],
    ["an over-long interface name", 4, /16 characters/, {}, { CNI_IFNAME: "sixteen-letters-" }],
    ["an illegal interface name", 4, /not allowed/, {}, { CNI_IFNAME: "a/b" }],
    ["a namespace that does not exist", 4, /no such file/i, {}, { CNI_NETNS: "/run/netns/nowhere" }],
    [
      "a file that is no namespace",
      4,
      /no network namespace|not a network namespace/i,
      {},
      { CNI_NETNS: "/etc/hostname" },
    ],
    ["a container ID that no record can be named after", 4, /"abc-"/, {}, { CNI_CONTAINERID: "abc-" }],
  ];
  for (const [what, code, message, config, env] of refusals) {
    it(`refuses ${what} with code ${code}, and changes nothing`, async () => {
      await refusesToAdd(code, message, config, env);
    });
  }

  it("refuses the node's own namespace with code 4, and changes nothing", async () => {
    const { netns: own } = await lab.host("host1");
    await refusesToAdd(4, /node's own/, {}, { CNI_NETNS: `/run/netns/${own}` });
  });

  it("refuses a pipe as a namespace with code 4, and the agent goes on answering", async () => {
    const directory = await mkdtemp(join(tmpdir(), `${lab.name}-`));
    const pipe = join(directory, "pipe");
    try {
      await succeed("mkfifo", [pipe]);
      // Whoever opens it for reading waits until somebody opens it for writing.
      await refusesToAdd(4, /namespace/, {}, { CNI_NETNS: pipe });
      assert.equal((await agentStatus(lab, "host1")).ready, true);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("deletes what was refused for its container ID", async () => {
    await changingNothing(async () => {
      const deleted = await call("DEL", {}, { CNI_CONTAINERID: "abc-" });
      assert.deepEqual([deleted.code, deleted.stdout], [0, ""], deleted.stdout);
    });
  });

  it("leaves an attachment alone when another network's of the same name is added and deleted", async () => {
    const result = await add({ name: "net1" });
    await changingNothing(async () => {
      const added = failure(await call("ADD", { name: "net2" }));
      assert.match(added.msg, /another network has attached it/);
      const deleted = await call("DEL", { name: "net2" });
      assert.equal(deleted.code, 0, deleted.stdout);
      const checked = await call("CHECK", { name: "net1", prevResult: result });
      assert.equal(checked.code, 0, checked.stdout);
    });
    assert.equal((await call("DEL", { name: "net1" })).code, 0);
    assert.equal(await isAttached(), false);
  });

  it("refuses to take an address with code 7 while the only pool overlaps the underlay, and names both", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const key = resourceKey("IPPool", "rival");
    const pool = {
      apiVersion: "projectcalico.org/v3",
      kind: "IPPool",
      metadata: { name: "rival" },
      spec: { cidr: "192.168.0.0/17", blockSize: 26, ipipMode: "Never", vxlanMode: "Never" },
    };
    const disable = (disabled: boolean): Promise<void> =>
      patch(lab, resourceKey("IPPool", "default-ipv4-ippool"), { spec: { disabled } });
    const status = async (): Promise<string> =>
      [...(await readStore(lab, resourcePrefix("IPPool"))).values()].join();
    /** The outcome of an ADD, which is undone. */
    const tryAdd = async (): Promise<Outcome> => {
      const outcome = await call("ADD");
      await call("DEL");
      return outcome;
    };
    await store.put(key, JSON.stringify(pool), { expect: "absent" });
    try {
      await disable(true);
      await eventually(async () => (await tryAdd()).code !== 0, "the agent having read of the pools");
      // Agents write it there in their own time.
      await eventually(async () => /PoolDisabled.*CIDROverlap/.test(await status()), "the pools' status");
      await refusesToAdd(7, /"rival".*the network of node "host1"/, {}, {});
    } finally {
      await store.delete(key);
      await disable(false);
    }
    await eventually(async () => (await tryAdd()).code === 0, "an address, from the pool before");
    await eventually(async () => !(await status()).includes("PoolDisabled"), "the pool's status");
  });

  it("takes addresses from pools that select the namespace, or that the network asks for", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const usual = resourceKey("IPPool", "default-ipv4-ippool");
    const pools: Readonly<Record<string, object>> = {
      blue: { cidr: "10.9.0.0/24", namespaceSelector: "projectcalico.org/name == 'blue'" },
      manual: { cidr: "10.10.0.0/24", assignmentMode: "Manual" },
      tiny: { cidr: "10.11.0.0/32", blockSize: 32, assignmentMode: "Manual" },
      off: { cidr: "10.12.0.0/24", disabled: true },
    };
    /** The address that an attachment has, which is taken away again. */
    const addressIn = async (namespace: string): Promise<string> => {
      const CNI_ARGS = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=x`;
      const { code, stdout } = await call("ADD", {}, { CNI_ARGS });
      await call("DEL");
      assert.equal(code, 0, stdout);
      return (JSON.parse(stdout) as Result).ips[0]?.address ?? "";
    };
    for (const [name, spec] of Object.entries(pools)) {
      const pool = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name }, spec };
      await store.put(resourceKey("IPPool", name), JSON.stringify(pool), { expect: "absent" });
    }
    await patch(lab, usual, { spec: { namespaceSelector: "kubernetes.io/metadata.name != 'blue'" } });
    try {
      await eventually(async () => (await addressIn("blue")).startsWith("10.9.0."), "the pools' being read");
      assert.match(await addressIn("red"), /^10\.1\./);
      const config = { ipam: { type: "calico-ipam", ipv4_pools: ["tiny", "10.10.0.0/24"] } };
      assert.equal((await add(config)).ips[0]?.address, "10.11.0.0/32");
      const other = { CNI_CONTAINERID: "cni-other", CNI_NETNS: `/run/netns/${netns}b` };
      await succeed("ip", ["netns", "add", `${netns}b`]);
      try {
        const second = await call("ADD", config, other);
        assert.match(second.stdout, /"address": ?"10\.10\.0\./);
        await call("DEL", config, other);
      } finally {
        await succeed("ip", ["netns", "del", `${netns}b`]);
      }
      await call("DEL", config);
      const { code, msg } = failure(await call("ADD", { ipam: { ipv4_pools: ["off", "gone"] } }));
      assert.equal(code, 7);
      assert.match(msg, /ipv4_pools\[0\]: IPPool "off" is disabled; .*no IPPool "gone"/);
    } finally {
      await patch(lab, usual, { spec: { namespaceSelector: null } });
      for (const name of Object.keys(pools)) await store.delete(resourceKey("IPPool", name));
    }
    const blocks = async (): Promise<string> => [...(await readStore(lab, blockPrefix(4))).keys()].join();
    await eventually(async () => !/10\.(9|10|11|12)\./.test(await blocks()), "the end of the pools' blocks");
  });

  it("refuses what is no JSON with code 6", async () => {
    await changingNothing(async () => {
      const stdin = '{"cniVersion":';
      const refused = failure(await execute(MARGAY_CNI, [], { stdin, env: environment("ADD") }));
      assert.equal(refused.code, 6, refused.msg);
    });
  });

  it("refuses an interface name that is taken, and leaves its holder alone", async () => {
    const result = await add();
    try {
      await refusesToAdd(4, /interface of that name/, {}, {});
      assert.equal((await call("CHECK", { prevResult: result })).code, 0);
    } finally {
      await call("DEL");
    }
  });

  const damages: readonly (readonly [what: string, command: string, message: RegExp])[] = [
    ["a missing address", "addr flush dev eth0", /address ".*\/32" is missing/],
    ["a missing route", "route del default", /route "0\.0\.0\.0\/0"/],
    ["a missing neighbour entry", "neigh del 169.254.1.1 dev eth0", /neighbour entry/],
    ["an interface that is down", "link set eth0 down", /down/],
  ];
  for (const [what, command, message] of damages) {
    it(`notices ${what} in CHECK`, async () => {
      const result = await add();
      await succeed("ip", ["-n", netns, ...command.split(" ")]);
      const refused = failure(await call("CHECK", { prevResult: result }));
      assert.equal(refused.code, 101);
      assert.match(refused.msg, message);
      await call("DEL");
    });
  }

  it("notices in CHECK that the container is not attached at all", async () => {
    const refused = failure(await call("CHECK", { prevResult: { ips: [] } }));
    assert.match(refused.msg, /no record/);
  });

  it("answers at once with code 11 and a remedy while the agent is down, and containers go on talking", async () => {
    await killAgent(lab, "host1");
    const ping = lab.start("a", "ping", "-n", "-c", "20", "-i", "0.05", await lab.address("d"));
    const ended = once(ping, "close");
    const refused = failure(await call("ADD"));
    assert.equal(refused.code, 11);
    // Nothing was waited for: where somebody listens and does not answer, it is the time that is up.
    assert.match(refused.details ?? "", /ECONNREFUSED/);
    assert.match(refused.msg, /start it/);
    const [code] = (await ended) as [number];
    assert.equal(code, 0);
    await lab.repair();
  });
});

describe("a pool that is used up", () => {
  it("is named with the limit in the error of ADD, and ADD leaves nothing", async () => {
    await using lab = await createLab({
      routeSource: "datastore",
      topology: new URL("./small-pool.yaml", import.meta.url).pathname,
    });
    const before = await lab.exec("host1", "ip", "route");
    const { code, stderr } = await execute("ip", ["netns", "add", `${lab.name}full`]);
    assert.equal(code, 0, stderr);
    try {
      const config = networkConfig(lab);
      const env = callVariables("ADD", "full", `${lab.name}full`);
      const outcome = await callCni(config, env);
      const refused = JSON.parse(outcome.stdout) as Failure;
      assert.equal(refused.code, 100, outcome.stdout);
      assert.match(refused.msg, /"tiny".*every address is taken/);
      assert.equal(await lab.exec("host1", "ip", "route"), before);
      assert.doesNotMatch(await succeed("ip", ["-n", `${lab.name}full`, "-br", "link"]), /eth0/);
    } finally {
      await succeed("ip", ["netns", "del", `${lab.name}full`]);
    }
  });
});
