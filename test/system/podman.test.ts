// SPDX-License-Identifier: Apache-2.0
// Debian's podman with Margay as its network: two hosts, each with a podman of its own.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { resourcePrefix } from "../../src/model/keys.ts";
import { GREETING } from "./busybox-image.ts";
import {
  type Lab,
  MARGAY,
  createLab,
  eventually,
  eventuallyEqual,
  killAgent,
  readStore,
  settled,
  succeed,
} from "./harness.ts";
import { NETWORK } from "./network-list.ts";
import { IMAGE, type Podman, setUpPodman } from "./podman.ts";
import { setMode } from "./tunnel-harness.ts";

describe("podman", () => {
  const stack = new AsyncDisposableStack();
  let lab: Lab;
  let [one, two]: Podman[] = [];
  let start: string;
  before(async () => {
    lab = stack.use(await createLab({ routeSource: "datastore" }));
    one = await setUpPodman(stack, lab, "host1");
    two = await setUpPodman(stack, lab, "host2");
    start = await settled(inventory);
  });
  after(async () => {
    await stack.disposeAsync();
  });

  const podman1 = (...args: readonly string[]): Promise<string> => (one ?? assert.fail()).run(...args);
  const podman2 = (...args: readonly string[]): Promise<string> => (two ?? assert.fail()).run(...args);
  /** Starts a container on a host, and gives its address as podman knows it. */
  const run = async (
    podman: typeof podman1,
    name: string,
    options: readonly string[] = [],
    command: readonly string[] = ["httpd", "-f", "-h", "/www"],
  ): Promise<string> => {
    await podman("run", "--detach", "--name", name, ...options, IMAGE, ...command);
    return await addressOf(podman, name);
  };
  const addressOf = async (podman: typeof podman1, name: string): Promise<string> =>
    (await podman("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)).trim();
  /** A container that runs may not have come to listening yet. */
  const isServed = (from: string, url: string): Promise<void> =>
    eventuallyEqual(() => podman2("exec", from, "wget", "-q", "-O", "-", url).catch(String), GREETING);
  const ping = (podman: typeof podman1, from: string, to: string): Promise<string> =>
    podman("exec", from, "ping", "-c", "3", "-i", "0.2", to);
  const check = (): Promise<string> =>
    succeed(MARGAY, ["ipam", "check", "--socket", lab.agentSocket("host1")]);
  /** What there is because of containers: in the datastore, in the first host's kernel, and by name in the machine. */
  const inventory = async (): Promise<string> =>
    [
      await check(),
      ...(await readStore(lab, resourcePrefix("WorkloadEndpoint"))).keys(),
      await lab.exec("host1", "ip", "-brief", "link"),
      ...(await namespaces()),
    ].join("\n");
  /** Namespaces that podman has made. */
  const namespaces = async (): Promise<readonly string[]> => {
    const made = new Set<string>();
    for (const podman of [one, two]) {
      for (const { environment } of (await podman?.host.calls()) ?? [])
        made.add(environment["CNI_NETNS"]?.split("/").at(-1) ?? "");
    }
    return (await readdir("/run/netns")).filter((name) => made.has(name));
  };
  const forwards = async (): Promise<string> => lab.exec("host1", "iptables", "-t", "nat", "-S");

  it("runs containers that reach each other across hosts", async () => {
    const web = await run(podman1, "web", ["--publish", "8080:80"]);
    const client = await run(podman2, "client", [], ["sleep", "infinity"]);
    assert.match(await ping(podman2, "client", web), /3 packets received/);
    assert.match(await ping(podman1, "web", client), /3 packets received/);
    await isServed("client", `http://${web}/`);
    const endpoints = [...(await readStore(lab, resourcePrefix("WorkloadEndpoint"))).values()].join();
    for (const address of [web, client]) assert.match(endpoints, new RegExp(`"${address}/32"`));
  });

  it("publishes a port, to the other host's containers and to the host itself", async () => {
    const { address } = await lab.host("host1");
    await isServed("client", `http://${address}:8080/`);
    for (const at of [address, "127.0.0.1"])
      assert.equal(
        await lab.exec("host1", "busybox", "wget", "-q", "-O", "-", `http://${at}:8080/`),
        GREETING,
      );
  });

  it("restarts a container, which gets one address for the one that it gave back", async () => {
    const [before, counted] = [await addressOf(podman1, "web"), await check()];
    await podman1("restart", "--time", "0", "web");
    const now = await addressOf(podman1, "web");
    assert.match(await ping(podman2, "client", now), /3 packets received/);
    await isServed("client", `http://${(await lab.host("host1")).address}:8080/`);
    await eventuallyEqual(check, counted);
    assert.ok(now === before || !(await forwards()).includes(before), "a port leads to the address before");
  });

  it("has containers whose MTU follows the tunnels in use", async () => {
    const mtu = async (): Promise<string> =>
      /mtu (\d+)/.exec(await podman1("exec", "web", "ip", "link", "show", "eth0"))?.[1] ?? "";
    await setMode(lab, { vxlanMode: "Always" });
    await eventually(async () => (await mtu()) === "1450", "the MTU beside a tunnel");
    await setMode(lab, {});
    await eventually(async () => (await mtu()) === "1500", "the MTU as before");
  });

  it("says why it cannot run a container where no agent runs, and leaves nothing of it", async () => {
    await killAgent(lab, "host1");
    const [counted, { code, stderr }] = [
      await namespaces(),
      await (one ?? assert.fail()).execute("run", "--name", "none", IMAGE, "ip", "address"),
    ];
    await lab.repair();
    assert.equal(code, 126, stderr);
    assert.match(stderr, /margay-cni.* failed \(add\): .*Cannot reach the Margay agent at .*: start it/);
    assert.deepEqual(await namespaces(), counted);
    await podman1("rm", "none");
  });

  it("passes its wishes as arguments, as capabilities, or both ways", async () => {
    const addresses = ["10.1.240.120", "10.1.240.121"] as const;
    const [ip, other] = addresses;
    const mac = "02:00:00:00:00:09";
    assert.equal(await run(podman1, "fixed", ["--ip", ip, "--mac-address", mac]), ip);
    assert.match(await podman1("exec", "fixed", "ip", "link", "show", "eth0"), new RegExp(`ether ${mac}`));
    // It is in no block of its node's, so the other has to hear of it first.
    const isReached = (): Promise<boolean> =>
      ping(podman2, "client", ip).then(
        (text) => text.includes("3 packets received"),
        () => false,
      );
    await eventually(isReached, "the address being reached");
    // A container has one address of a family.
    const network = `${NETWORK}:ip=${ip},ip=${other},interface_name=net7`;
    const several = await (one ?? assert.fail()).execute("run", "--network", network, IMAGE, "ip", "address");
    assert.match(several.stderr, /failed \(add\): .*Cannot use network configuration: runtimeConfig\.ips/);
    await run(podman1, "named", ["--network-alias", "al", "--publish", "8081:80/udp"]);
    const calls = (await one?.host.calls()) ?? [];
    const added = calls.filter(({ environment }) => environment["CNI_COMMAND"] === "ADD").slice(-3);
    const [first, second, third] = added.map(({ args, environment, config }) => ({
      args,
      ifName: environment["CNI_IFNAME"],
      runtimeConfig: config["runtimeConfig"] as Readonly<Record<string, unknown>> | undefined,
    }));
    assert.deepEqual(first?.args, [`IP=${ip}`, "IgnoreUnknown=1", "K8S_POD_NAME=fixed", `MAC=${mac}`]);
    assert.equal(second?.ifName, "net7");
    assert.deepEqual(second.runtimeConfig?.["ips"], addresses);
    assert.deepEqual(Object.keys(third?.runtimeConfig?.["aliases"] ?? {}), [NETWORK]);
    assert.deepEqual(third?.runtimeConfig?.["portMappings"], [
      { hostPort: 8081, containerPort: 80, protocol: "udp" },
    ]);
    // Against the specification (section 3, "Deriving execution configuration"), libcni leaves these in.
    for (const { config } of added) assert.ok("capabilities" in config);
  });

  it("removes containers, and nothing of them is left", async () => {
    await podman1("rm", "--all", "--force", "--time", "0");
    await podman2("rm", "--all", "--force", "--time", "0");
    await eventually(async () => (await inventory()) === start, "everything as it was");
    assert.doesNotMatch(await forwards(), /CNI-DN-/);
  });
});
