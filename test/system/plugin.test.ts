// SPDX-License-Identifier: Apache-2.0
// The plugin with a node's agent: from the sources, and as one file that runs where there is nothing but itself and the agent's socket.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { LATEST_VERSION, SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import { type Failure, callVariables, networkConfig } from "./cni-runtime.ts";
import {
  BUILD,
  type Lab,
  MARGAY_CNI,
  type Outcome,
  PLUGIN_EXECUTABLE,
  createLab,
  execute,
  killAgent,
  succeed,
} from "./harness.ts";

/** Mounts the agent's socket into the folder `$1`, for this process alone, and runs the plugin in it. */
const IN_BARE_ROOT = 'mount --bind /run "$1/run"; exec chroot "$1" /margay-cni';

describe("with an agent,", () => {
  let lab: Lab;
  /** A file system with nothing in it but the plugin. */
  let root: string;
  let netns: string;
  before(async () => {
    await succeed(BUILD, []);
    root = mkdtempSync(join(tmpdir(), "margay-plugin-"));
    mkdirSync(join(root, "run"));
    cpSync(PLUGIN_EXECUTABLE, join(root, "margay-cni"));
    lab = await createLab({ routeSource: "datastore" });
    netns = `${lab.name}file`;
    await succeed("ip", ["netns", "add", netns]);
  });
  after(async () => {
    await succeed("ip", ["netns", "del", netns]);
    await lab[Symbol.asyncDispose]();
    rmSync(root, { recursive: true });
  });

  /** A program, and the arguments that run the plugin. */
  const plugins: Readonly<Record<string, () => readonly [program: string, ...args: string[]]>> = {
    "from the sources": () => [MARGAY_CNI],
    "as one file": () => [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-ec",
      IN_BARE_ROOT,
      "sh",
      root,
    ],
  };
  for (const [kind, commandLine] of Object.entries(plugins))
    describe(`the plugin ${kind}`, () => {
      const call = (
        command: string,
        config: object = {},
        env: Readonly<Record<string, string>> = {},
      ): Promise<Outcome> => {
        const [program, ...args] = commandLine();
        return execute(program, args, {
          stdin: JSON.stringify(networkConfig(lab, config)),
          env: { ...callVariables(command, "one-file", netns), CNI_PATH: "/opt/cni/bin", ...env },
        });
      };
      const failure = ({ code, stdout, stderr }: Outcome): Failure => {
        assert.deepEqual([code, stderr], [1, ""], stdout);
        return JSON.parse(stdout) as Failure;
      };

      it("tells its versions", async () => {
        const { code, stdout, stderr } = await call("VERSION");
        assert.deepEqual([code, stderr], [0, ""], stdout);
        assert.deepEqual(JSON.parse(stdout), { cniVersion: "1.0.0", supportedVersions: SUPPORTED_VERSIONS });
      });

      for (const cniVersion of [SUPPORTED_VERSIONS[0], LATEST_VERSION]) {
        it(`adds and deletes with results of ${cniVersion}`, async () => {
          const added = await call("ADD", { cniVersion });
          assert.deepEqual([added.code, added.stderr], [0, ""], added.stdout);
          const prevResult = JSON.parse(added.stdout) as { readonly cniVersion: string };
          assert.equal(prevResult.cniVersion, cniVersion);
          assert.match(await succeed("ip", ["-n", netns, "-br", "address"]), /eth0.* 10\.1\./);
          const deleted = await call("DEL", { cniVersion, prevResult });
          assert.deepEqual(deleted, { code: 0, stdout: "", stderr: "" });
          assert.doesNotMatch(await succeed("ip", ["-n", netns, "-br", "link"]), /eth0/);
        });
      }

      it("checks, and passes on what the agent has to object", async () => {
        const prevResult: unknown = JSON.parse((await call("ADD")).stdout);
        assert.deepEqual(await call("CHECK", { prevResult }), { code: 0, stdout: "", stderr: "" });
        assert.equal(failure(await call("ADD")).code, 4);
        await succeed("ip", ["-n", netns, "route", "del", "default"]);
        assert.equal(failure(await call("CHECK", { prevResult })).code, 101);
        assert.equal((await call("DEL")).code, 0);
      });

      it("tells that the node is ready, and collects what no runtime knows of", async () => {
        const latest = { cniVersion: LATEST_VERSION };
        assert.deepEqual(await call("STATUS", latest), { code: 0, stdout: "", stderr: "" });
        assert.equal((await call("ADD", latest)).code, 0);
        const collected = await call("GC", { ...latest, "cni.dev/valid-attachments": [] });
        assert.deepEqual(collected, { code: 0, stdout: "", stderr: "" });
        assert.doesNotMatch(await succeed("ip", ["-n", netns, "-br", "link"]), /eth0/);
      });

      it("is refused in the version asked for, or the first where none is, or the latest where it is not known", async () => {
        const refused = async (command: string, config: object): Promise<unknown> => {
          const { cniVersion, code } = failure(await call(command, config));
          return [cniVersion, code];
        };
        assert.deepEqual(await refused("FROB", {}), ["1.0.0", 4]);
        assert.deepEqual(await refused("ADD", { frob: 1, cniVersion: undefined }), ["0.1.0", 2]);
        assert.deepEqual(await refused("ADD", { cniVersion: "9.9.9" }), [LATEST_VERSION, 1]);
        assert.deepEqual(await refused("ADD", { cniVersion: 1 }), [LATEST_VERSION, 7]);
      });

      it("passes on text of any script, long variables, and depth", async () => {
        const { msg } = failure(await call("ADD", { frob: '\u00e9\u{1f600}"\\\n' }));
        assert.match(msg, /"frob" with value "\u00e9\u{1f600}\\"\\\\\\n"/u);
        const CNI_ARGS = `IgnoreUnknown=1;A=${"a".repeat(120_000)}`;
        assert.equal((await call("ADD", {}, { CNI_ARGS })).code, 0);
        assert.equal((await call("DEL", {}, { CNI_ARGS })).code, 0);
        let deep: unknown = 1;
        for (let depth = 0; depth < 1000; depth++) deep = [deep];
        assert.equal(failure(await call("ADD", { frob: deep })).code, 2);
      });

      it("gives up where the agent does not answer", async () => {
        const agentSocket = join(dirname(lab.agentSocket("host1")), "silent.sock");
        const server = createServer((socket) => socket.on("error", () => undefined).resume());
        server.listen({ path: agentSocket });
        await once(server, "listening");
        try {
          const { code, details } = failure(await call("ADD", { agentSocket }));
          assert.deepEqual([code, details], [11, "no answer within 30 s"]);
        } finally {
          server.close();
        }
      });

      it("answers with code 11 while the agent is down", async () => {
        await killAgent(lab, "host1");
        assert.equal(failure(await call("ADD")).code, 11);
        assert.equal(failure(await call("STATUS", { cniVersion: LATEST_VERSION })).code, 50);
        assert.equal(failure(await call("DEL")).code, 11);
        await lab.repair();
      });
    });

  const post = async (type: string, body: string, length = body.length): Promise<unknown> => {
    const headers = { "content-type": type, "content-length": length };
    const asked = request({
      socketPath: lab.agentSocket("host1"),
      method: "POST",
      path: "/cni",
      headers,
      agent: false,
    });
    asked.write(body, "latin1");
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const { code } = JSON.parse(await readText(response)) as Failure;
    return [response.statusCode, code];
  };

  it("the agent refuses what no plugin of its version sends", async () => {
    const type = "application/vnd.margay.cni-call";
    assert.deepEqual(await post("application/json", '{"environment":{},"config":{}}'), [422, 11]);
    assert.deepEqual(await post(type, "CNI_COMMAND=ADD\0"), [422, 6]);
    assert.deepEqual(await post(type, "HOME=/\0\0{}"), [422, 6]);
    assert.deepEqual(await post(type, "CNI_COMMAND=ADD\0CNI_ARGS=\xff\0\0{}"), [422, 4]);
    assert.deepEqual(await post(type, "CNI_COMMAND=ADD\0\0[]"), [422, 6]);
    assert.deepEqual(await post(type, "\0{}", 3 * 1024 * 1024), [422, 6]);
  });
});
