// SPDX-License-Identifier: Apache-2.0
// A container of a host of the lab, and calls of the plugin for it as a runtime makes them.
import assert from "node:assert/strict";
import { runPlugin } from "../../src/cni/plugin.ts";
import { type Lab, type Outcome, callCni, execute, succeed } from "./harness.ts";

export interface Failure {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

export interface Result {
  readonly cniVersion: string;
  readonly interfaces: readonly {
    readonly name: string;
    readonly mac: string;
    readonly mtu?: number;
    readonly sandbox?: string;
  }[];
  readonly ips: readonly {
    readonly address: string;
    readonly version?: string;
    readonly gateway: string;
    readonly interface: number;
  }[];
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[];
  readonly dns: { readonly nameservers?: readonly string[] };
}

/** A network of the plugin, as a host's agent serves it. @param more what is said otherwise, or besides */
export function networkConfig(lab: Lab, more: object = {}, host = "host1"): object {
  const agentSocket = lab.agentSocket(host);
  return { cniVersion: "1.0.0", name: "margay", type: "margay-cni", agentSocket, ...more };
}

/** The environment of a call for a container. @param netns the name of its network namespace */
export function callVariables(command: string, container: string, netns: string): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${netns}`,
    CNI_IFNAME: "eth0",
  };
}

/** A call by the plugin's own code, without the start of a process. */
export async function callInProcess(
  environment: Readonly<Record<string, string>>,
  config: object,
): Promise<Pick<Outcome, "code" | "stdout">> {
  const { exitCode: code, stdout } = await runPlugin(environment, Buffer.from(JSON.stringify(config)));
  return { code, stdout };
}

export interface Runtime extends AsyncDisposable {
  /** The container's network namespace, by its name. */
  readonly netns: string;
  call(command: string, config?: object, env?: Readonly<Record<string, string>>): Promise<Outcome>;
  /** An ADD that has to succeed. */
  add(config?: object, env?: Readonly<Record<string, string>>): Promise<Result>;
  /** A call that has to succeed without a word. */
  succeeds(command: string, config?: object, env?: Readonly<Record<string, string>>): Promise<void>;
  /** A call that has to fail. */
  fails(command: string, config?: object, env?: Readonly<Record<string, string>>): Promise<Failure>;
  /** Runs a command in the container; it has to succeed. */
  exec(...command: readonly string[]): Promise<string>;
}

export interface RuntimeOptions {
  /** @default "host1" */
  readonly host?: string;
  /** @default "net", for the lab's own containers are of network "margay" */
  readonly network?: string;
}

/** Makes a container without interfaces; disposing it takes its namespace away. */
export async function createRuntime(
  lab: Lab,
  container: string,
  { host = "host1", network = "net" }: RuntimeOptions = {},
): Promise<Runtime> {
  const netns = `${lab.name}${container}`;
  await succeed("ip", ["netns", "add", netns]);
  const call: Runtime["call"] = (command, config = {}, env = {}) =>
    callCni(networkConfig(lab, { cniVersion: "1.1.0", name: network, ...config }, host), {
      ...callVariables(command, container, netns),
      ...env,
    });
  return {
    netns,
    call,
    async add(config, env) {
      const { code, stdout, stderr } = await call("ADD", config, env);
      assert.equal(code, 0, stdout + stderr);
      return JSON.parse(stdout) as Result;
    },
    async succeeds(command, config, env) {
      assert.deepEqual(await call(command, config, env), { code: 0, stdout: "", stderr: "" });
    },
    async fails(command, config, env) {
      const { code, stdout, stderr } = await call(command, config, env);
      assert.deepEqual([code, stderr], [1, ""], stdout);
      return JSON.parse(stdout) as Failure;
    },
    exec: (...command) => succeed("ip", ["netns", "exec", netns, ...command]),
    async [Symbol.asyncDispose]() {
      await execute("ip", ["netns", "del", netns]);
    },
  };
}
