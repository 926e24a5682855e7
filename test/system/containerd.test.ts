// SPDX-License-Identifier: Apache-2.0
// Debian's containerd with Margay as its network, driven through the container runtime interface as kubelet does: two hosts, each with a
// containerd of its own.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { resourceKey, resourcePrefix } from "../../src/model/keys.ts";
import type { CniCall } from "./cni-recorder.ts";
import { type Containerd, startContainerd } from "./containerd.ts";
import type { PodSandboxConfig, PodSandboxId, PodSandboxStatus } from "./cri.ts";
import {
  type Lab,
  MARGAY,
  createLab,
  eventually,
  eventuallyEqual,
  readStore,
  settled,
  succeed,
} from "./harness.ts";
import { patch } from "./tunnel-harness.ts";

const USUAL_POOL = resourceKey("IPPool", "default-ipv4-ippool");
const BLUE_POOL = resourceKey("IPPool", "blue");

describe("containerd", () => {
  const stack = new AsyncDisposableStack();
  let lab: Lab;
  let [one, two]: Containerd[] = [];
  let start: string;
  before(async () => {
    lab = stack.use(await createLab({ routeSource: "datastore" }));
    one = await startContainerd(stack, lab, "host1");
    two = await startContainerd(stack, lab, "host2");
    start = await settled(inventory);
  });
  after(async () => {
    await stack.disposeAsync();
  });

  const first = (): Containerd => one ?? assert.fail();
  const second = (): Containerd => two ?? assert.fail();
  /** Runs a sandbox, and gives what containerd says of it. */
  const runSandbox = async (
    { cri }: Containerd,
    name: string,
    more: Partial<PodSandboxConfig> = {},
  ): Promise<PodSandboxStatus> => {
    const metadata = { name, uid: `uid-of-${name}`, namespace: "default" };
    const config = { metadata, hostname: name, log_directory: "/run", linux: {}, ...more };
    const { status } = await cri.podSandboxStatus(await cri.runPodSandbox({ config }));
    return status;
  };
  const idOf = ({ id }: PodSandboxStatus): PodSandboxId => ({ pod_sandbox_id: id });
  const remove = async ({ cri }: Containerd, sandbox: PodSandboxStatus): Promise<void> => {
    await cri.stopPodSandbox(idOf(sandbox));
    await cri.removePodSandbox(idOf(sandbox));
  };
  /** Calls that containerd has made for a sandbox, by what they were. */
  const callsFor = async ({ host }: Containerd, command: string, id: string): Promise<readonly CniCall[]> =>
    (await host.calls()).filter(
      ({ environment }) => environment["CNI_COMMAND"] === command && environment["CNI_CONTAINERID"] === id,
    );
  const netnsOf = async (containerd: Containerd, { id }: PodSandboxStatus): Promise<string> => {
    const [call] = await callsFor(containerd, "ADD", id);
    return basename(call?.environment["CNI_NETNS"] ?? assert.fail(`no ADD of ${id}`));
  };
  /** Runs a command in a sandbox's network. */
  const inside = async (
    containerd: Containerd,
    sandbox: PodSandboxStatus,
    ...command: readonly string[]
  ): Promise<string> => succeed("ip", ["netns", "exec", await netnsOf(containerd, sandbox), ...command]);
  const check = (): Promise<string> =>
    succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
  /** What there is because of sandboxes: in the datastore, in the first host's kernel, and by name in the machine. */
  const inventory = async (): Promise<string> => {
    const calls = [...(await first().host.calls()), ...(await second().host.calls())];
    const made = new Set(calls.map(({ environment }) => basename(environment["CNI_NETNS"] ?? "")));
    return [
      await check(),
      ...(await readStore(lab, resourcePrefix("WorkloadEndpoint"))).keys(),
      await lab.exec("host1", "ip", "-brief", "link"),
      ...(await readdir("/run/netns")).filter((name) => made.has(name)),
    ].join("\n");
  };

  it("finds its network ready", async () => {
    const { status } = await first().cri.status({});
    const conditions = status.conditions.map((condition) => [condition.type, condition.status]);
    assert.deepEqual(Object.fromEntries(conditions), { RuntimeReady: true, NetworkReady: true });
  });

  it("runs sandboxes that reach each other across hosts, under the addresses that it tells of", async () => {
    const [a, b] = [await runSandbox(first(), "a"), await runSandbox(second(), "b")];
    assert.equal(a.state, "SANDBOX_READY");
    assert.match(await inside(first(), a, "ping", "-c", "3", "-i", "0.2", b.network.ip), / 0% packet loss/);
    assert.match(await inside(second(), b, "ping", "-c", "3", "-i", "0.2", a.network.ip), / 0% packet loss/);
    const addresses = await inside(first(), a, "ip", "-brief", "address");
    assert.match(addresses, new RegExp(`^eth0@\\S+ +UP +${a.network.ip}/32`, "m"));
    // The loopback plugin's part, which containerd calls beside the network's.
    assert.match(addresses, /^lo +UNKNOWN +127\.0\.0\.1\/8/m);
    await remove(first(), a);
    await remove(second(), b);
  });

  it("publishes a port", async () => {
    const web = await runSandbox(first(), "web", {
      port_mappings: [{ container_port: 80, host_port: 8080 }],
    });
    const server = first().host.start(
      "ip",
      "netns",
      "exec",
      await netnsOf(first(), web),
      "busybox",
      "httpd",
      "-f",
      "-h",
      "/etc",
    );
    const { address } = await lab.host("host1");
    const fetch = (): Promise<string> =>
      lab.exec("host2", "busybox", "wget", "-q", "-O", "-", `http://${address}:8080/hostname`);
    await eventually(
      () =>
        fetch().then(
          () => true,
          () => false,
        ),
      "the server",
    );
    server.kill();
    await remove(first(), web);
    await assert.rejects(fetch());
  });

  it("tells the namespace of a sandbox, whose addresses come from the pool that selects it", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const spec = { cidr: "10.9.0.0/24", namespaceSelector: "projectcalico.org/name == 'blue'" };
    const pool = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name: "blue" }, spec };
    await store.put(BLUE_POOL, JSON.stringify(pool), { expect: "absent" });
    await patch(lab, USUAL_POOL, { spec: { namespaceSelector: "projectcalico.org/name != 'blue'" } });
    const metadata = { name: "c", uid: "uid-of-c", namespace: "blue" };
    try {
      await eventually(async () => {
        const sandbox = await runSandbox(first(), "c", { metadata });
        await remove(first(), sandbox);
        return sandbox.network.ip.startsWith("10.9.0.");
      }, "an address of the pool");
    } finally {
      await patch(lab, USUAL_POOL, { spec: { namespaceSelector: null } });
      await store.delete(BLUE_POOL);
    }
    await eventually(async () => (await inventory()) === start, "the end of the pool's blocks");
  });

  it("passes what it has to say, in words of its own", async () => {
    const annotations = {
      "kubernetes.io/ingress-bandwidth": "10M",
      "kubernetes.io/egress-bandwidth": "20M",
      "cni.projectcalico.org/ipAddrs": '["10.1.240.120"]',
    };
    const sandbox = await runSandbox(first(), "d", {
      dns_config: { servers: ["10.2.0.53"], searches: ["blue.example"], options: ["ndots:5"] },
      port_mappings: [{ container_port: 80, host_port: 8080 }],
      annotations,
    });
    assert.equal(sandbox.network.ip, "10.1.240.120");
    const [added] = await callsFor(first(), "ADD", sandbox.id);
    await remove(first(), sandbox);
    assert.deepEqual(added?.args, [
      "IgnoreUnknown=1",
      `K8S_POD_INFRA_CONTAINER_ID=${sandbox.id}`,
      "K8S_POD_NAME=d",
      "K8S_POD_NAMESPACE=default",
      "K8S_POD_UID=uid-of-d",
    ]);
    // Go's names of fields, where the conventions have small letters; and bursts that are as good as none.
    assert.deepEqual(added.config["runtimeConfig"], {
      dns: { Servers: ["10.2.0.53"], Searches: ["blue.example"], Options: ["ndots:5"] },
      portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: "tcp", HostIP: "" }],
      bandwidth: { IngressRate: 10e6, IngressBurst: 2 ** 32 - 1, EgressRate: 20e6, EgressBurst: 2 ** 32 - 1 },
      "io.kubernetes.cri.pod-annotations": annotations,
    });
    assert.equal(added.environment["CNI_NETNS"]?.startsWith("/var/run/netns/cni-"), true);
  });

  it("stops a sandbox twice, and removes it without its namespace", async () => {
    const sandbox = await runSandbox(first(), "e");
    const { cri } = first();
    await cri.stopPodSandbox(idOf(sandbox));
    await eventuallyEqual(inventory, start);
    const { status } = await cri.podSandboxStatus(idOf(sandbox));
    assert.deepEqual([status.state, status.network.ip], ["SANDBOX_NOTREADY", ""]);
    await cri.stopPodSandbox(idOf(sandbox));
    await cri.removePodSandbox(idOf(sandbox));
    const calls = await callsFor(first(), "DEL", sandbox.id);
    const told = calls.map(({ environment, config }) => [
      environment["CNI_NETNS"] !== "",
      "prevResult" in config,
    ]);
    assert.deepEqual(told, [
      [true, true],
      [false, false],
      [false, false],
    ]);
    assert.deepEqual((await cri.listPodSandbox({})).items, []);
  });

  it("leaves nothing behind", async () => {
    await eventually(async () => (await inventory()) === start, "everything as it was");
    assert.doesNotMatch(await lab.exec("host1", "iptables", "-t", "nat", "-S"), /CNI-DN-/);
    assert.doesNotMatch(await lab.exec("host1", "ip", "link"), /bwp/);
  });
});
