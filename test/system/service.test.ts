// SPDX-License-Identifier: Apache-2.0
// The agent as the service that "margay node install" lays out, under a systemd of its own.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type BootedMachine, bootMachine } from "./booted-machine.ts";
import { FAST_PING, MARGAY, eventually, eventuallyEqual, lossOf, succeed } from "./harness.ts";
import { createMachine } from "./machine.ts";

const SERVICE = "margay-agent.service";
const SOCKET = "/run/margay/agent.sock";
const POOL = `
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 10.1.0.0/16}`;

describe("the agent's service", () => {
  const stack = new AsyncDisposableStack();
  let machine: BootedMachine;
  /** Of the container that is sent to. */
  let address: string;
  before(async () => {
    await succeed(join(import.meta.dirname, "../../scripts/build"), []);

    machine = stack.use(await bootMachine(stack.use(createMachine())));
    await machine.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "network");
    await machine.run("ip", "address", "add", "192.168.0.101/24", "dev", "eth0");
    for (const device of ["lo", "eth0", "network"]) await machine.run("ip", "link", "set", device, "up");
    await machine.run(MARGAY, "node", "install", "--node-name", "host1", "--no-chain");
  });
  after(() => stack.disposeAsync());

  /** A property of the service (org.freedesktop.systemd1(5)). */
  const property = async (name: string): Promise<string> =>
    (await machine.run("systemctl", "show", "--value", `--property=${name}`, SERVICE)).trim();
  const isReady = async (): Promise<boolean> => (await machine.execute(MARGAY, "node", "status")).code === 0;
  /** The process of the service that runs now, once it is ready. */
  const readyProcess = async (than = "0"): Promise<string> => {
    await eventually(async () => !["0", than].includes(await property("MainPID")), "another process");
    await eventually(isReady, "a ready agent");
    return await property("MainPID");
  };
  /** The oldest of that name: an agent has others read a configuration for its faults. */
  const bird = (): Promise<string> => machine.run("pgrep", "-o", "-x", "bird");
  const routes = (): Promise<string> => machine.run("ip", "route", "show", "table", "all");
  const call = (command: string, container: string): Promise<string> => {
    const config = { cniVersion: "1.0.0", name: "margay", type: "margay-cni" };
    const variables = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: container,
      CNI_NETNS: `/run/netns/${container}`,
      CNI_IFNAME: "eth0",
      CNI_PATH: "/opt/cni/bin",
    };
    const environment = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const script = 'echo "$1" | /opt/cni/bin/margay-cni';
    return machine.run("env", ...environment, "sh", "-c", script, "sh", JSON.stringify(config));
  };
  /** Loses no packet between two containers of the node meanwhile, and has the same BIRD and the same routes afterwards. */
  const undisturbed = async (action: () => Promise<void>): Promise<void> => {
    const before = [await bird(), await routes()].join("");
    const ping = machine.start("ip", "netns", "exec", "a", ...FAST_PING, address);
    assert.equal((await lossOf(ping, action)).lost, 0);
    await eventuallyEqual(async () => [await bird(), await routes()].join(""), before);
  };

  it("starts at once and at boot, where it is enabled, and attaches containers when there is a pool", async () => {
    await machine.run("systemctl", "enable", "--now", SERVICE);
    assert.match(
      await machine.run("systemctl", "list-dependencies", "--plain", "multi-user.target"),
      /margay-agent/,
    );
    await eventually(async () => (await machine.execute("test", "-S", SOCKET)).code === 0, "its socket");
    await machine.run("sh", "-c", `echo "$1" | ${MARGAY} apply -f -`, "sh", POOL);
    await readyProcess();
    for (const container of ["a", "b"]) await machine.run("ip", "netns", "add", container);
    await call("ADD", "a");
    const { ips } = JSON.parse(await call("ADD", "b")) as {
      readonly ips: readonly { readonly address: string }[];
    };
    address = ips[0]?.address.replace("/32", "") ?? assert.fail("no address");
    await machine.run("ip", "netns", "exec", "a", "ping", "-c", "1", address);
  });

  it("comes back when it is killed, to the same BIRD and routes, and no packet is lost", async () => {
    const process = await readyProcess();
    await undisturbed(async () => {
      await machine.run("kill", "-KILL", process);
      await readyProcess(process);
    });
    assert.equal(await property("NRestarts"), "1");
  });

  it("comes back however often it is killed", async () => {
    await undisturbed(async () => {
      let process = await readyProcess();
      // Five starts in ten seconds are as many as systemd allows by default.
      for (let round = 0; round < 7; round++) {
        await machine.run("kill", "-KILL", process);
        await eventually(async () => !["0", process].includes(await property("MainPID")), "another process");
        process = await property("MainPID");
      }
      await readyProcess();
    });
  });

  it("leaves BIRD and forwarding as they are when it is stopped, and takes them up again", async () => {
    await undisturbed(async () => {
      await machine.run("systemctl", "stop", SERVICE);
      assert.deepEqual([await property("ActiveState"), await property("Result")], ["inactive", "success"]);
      assert.equal((await machine.execute("test", "-S", SOCKET)).code, 1);
    });
    await undisturbed(async () => {
      await machine.run("systemctl", "start", SERVICE);
      await readyProcess();
    });
  });

  it("is gone after an uninstall that purges, with BIRD and all routes", async () => {
    for (const container of ["a", "b"]) await call("DEL", container);
    await machine.run(MARGAY, "node", "uninstall", "--purge");
    assert.equal((await machine.execute("systemctl", "cat", SERVICE)).code, 1);
    assert.equal((await machine.execute("pgrep", "-x", "bird|MainThread")).stdout, "");
    assert.doesNotMatch(await routes(), /10\.1\./);
  });
});
