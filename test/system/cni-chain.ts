// SPDX-License-Identifier: Apache-2.0
// A runtime's part of the specification: chains of plugins, called on a lab's host as libcni calls them (sections 3 and 4).
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import type { Outcome } from "./harness.ts";
import type { RuntimeHost } from "./runtime-host.ts";

/** A plugin's part of a network configuration list, and what the runtime has to say to it. */
export interface ChainedPlugin {
  readonly type: string;
  readonly runtimeConfig?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** What of a result tests look at. */
export interface ChainResult {
  readonly cniVersion: string;
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly sandbox?: string }[];
  readonly ips: readonly {
    readonly address: string;
    readonly version?: string;
    readonly interface?: number;
  }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
}

export interface Chain {
  /** Calls all plugins in order, each with the result of the one before; gives the last result, which is kept. */
  add(): Promise<ChainResult>;
  /** Calls all in order, each with the kept result; gives what each that failed had to say. */
  check(): Promise<readonly string[]>;
  /** Calls all in reverse order, each with the kept result. */
  del(): Promise<void>;
}

export interface Attachment {
  readonly containerId: string;
  /** The path of the container's network namespace. */
  readonly netns: string;
}

export function createChain(
  host: RuntimeHost,
  attachment: Attachment,
  cniVersion: string,
  plugins: readonly ChainedPlugin[],
): Chain {
  let kept: ChainResult | undefined;
  const call = (command: string, plugin: ChainedPlugin, prevResult?: object): Promise<Outcome> =>
    callPlugin(host, command, attachment, {
      cniVersion,
      name: "margay",
      ...plugin,
      ...(prevResult && { prevResult }),
    });
  return {
    async add() {
      for (const plugin of plugins) {
        const { code, stdout } = await call("ADD", plugin, kept);
        assert.equal(code, 0, `ADD of ${plugin.type}: ${stdout}`);
        kept = JSON.parse(stdout) as ChainResult;
      }
      return kept ?? assert.fail("no plugin in the chain");
    },
    async check() {
      const outcomes: Outcome[] = [];
      for (const plugin of plugins) outcomes.push(await call("CHECK", plugin, kept));
      return outcomes.filter(({ code }) => code !== 0).map(({ stdout }) => stdout);
    },
    async del() {
      for (const plugin of plugins.toReversed()) {
        const { code, stdout } = await call("DEL", plugin, kept);
        assert.equal(code, 0, `DEL of ${plugin.type}: ${stdout}`);
      }
      kept = undefined;
    },
  };
}

/** One call of one plugin, with the configuration as it is. */
export async function callPlugin(
  host: RuntimeHost,
  command: string,
  { containerId, netns }: Attachment,
  config: ChainedPlugin,
): Promise<Outcome> {
  const environment = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: netns,
    CNI_IFNAME: "eth0",
    CNI_ARGS: "IgnoreUnknown=1",
    CNI_PATH: host.plugins,
  };
  const input = join(host.directory, `input-${randomUUID()}`);
  await writeFile(input, JSON.stringify(config));
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return await host.execute(
    "env",
    ...variables,
    "sh",
    "-c",
    `"$0" <"$1"`,
    join(host.plugins, config.type),
    input,
  );
}
