// SPDX-License-Identifier: Apache-2.0
// What the plugin does by itself, without the node's agent: the same from the sources and as an executable, to the word.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type Server, type Socket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { encodeCall } from "../src/cni/call.ts";
import { LATEST_VERSION, SUPPORTED_VERSIONS } from "../src/cni/version.ts";
import { type Outcome, execute } from "./system/harness.ts";

const CONFIG = { cniVersion: "1.0.0", name: "net", type: "margay-cni" };
const NO_OBJECT =
  "Cannot decode network configuration on standard input: want a JSON object of up to 1048576 bytes";
const NO_PATH = 'Cannot use "agentSocket": want an absolute path of up to 107 printable ASCII characters';
const NO_ANSWER = "Cannot decode the agent's answer: want status 200 or 422, and a JSON object";
const unreachable = (socket: string): string =>
  `Cannot reach the Margay agent at "${socket}": start it ("margay agent --config FILE") and try again; containers that run already are not affected`;

/** Holds a plugin, by the path of its program, to the contract. */
export function describePlugin(what: string, program: string): void {
  describe(what, () => {
    let folder: string;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "margay-plugin-"));
    });
    after(() => {
      rmSync(folder, { recursive: true });
    });

    const run = (command: string | undefined, stdin: string | Uint8Array): Promise<Outcome> =>
      execute(program, [], { stdin, env: command === undefined ? {} : { CNI_COMMAND: command } });
    const call = (command: string, config: object): Promise<Outcome> =>
      run(command, JSON.stringify({ ...CONFIG, ...config }));
    /** The specification's error object. */
    const failure = ({ code, stdout, stderr }: Outcome): unknown => {
      assert.deepEqual([code, stderr], [1, ""], stdout);
      return JSON.parse(stdout);
    };
    const tellsVersion = async (cniVersion: string, stdin: string): Promise<void> => {
      const { code, stdout, stderr } = await run("VERSION", stdin);
      assert.deepEqual([code, stderr], [0, ""], stdin);
      assert.deepEqual(JSON.parse(stdout), { cniVersion, supportedVersions: SUPPORTED_VERSIONS }, stdin);
    };

    it("tells its versions in the one asked for, or the latest", async () => {
      await tellsVersion("0.4.0", '{"cniVersion":"0.4.0"}');
      for (const other of ['"1.2.0"', "null"]) await tellsVersion(LATEST_VERSION, `{"cniVersion":${other}}`);
      await tellsVersion("0.1.0", "{}");
    });

    it("reads JSON to the letter", async () => {
      await tellsVersion("1.0.0", '{"cniVersion":"0.4.0","a":[{"cniVersion":"0.3.0"}],"cniVersion":"1.0.0"}');
      await tellsVersion("1.0.0", String.raw`{"cni\u0056ersion":"1.0\u002E0"}`);
      await tellsVersion("0.1.0", `{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`);
      await tellsVersion("0.1.0", "{}".padEnd(1024 * 1024));
    });

    it("refuses what is no JSON object, whatever the command", async () => {
      const refused: readonly (string | Uint8Array)[] = [
        ...["", "{", "[]", '{"a":1,}', "\ufeff{}", Buffer.from('{"a":"\xff"}', "latin1")],
        ...["{}".padEnd(1024 * 1024 + 1), "[".repeat(1024 * 1024)],
      ];
      const error = { cniVersion: LATEST_VERSION, code: 6, msg: NO_OBJECT };
      for (const stdin of refused)
        assert.deepEqual(failure(await run("VERSION", stdin)), error, stdin.slice(0, 20).toString());
      for (const command of ["ADD", undefined]) assert.deepEqual(failure(await run(command, "")), error);
    });

    it("refuses standard input that cannot be read", async () => {
      const directory = openSync(folder, "r");
      const child = spawn(program, [], { stdio: [directory, "pipe", "inherit"] });
      assert.ok(child.stdout);
      const error = { cniVersion: LATEST_VERSION, code: 6, msg: NO_OBJECT };
      assert.deepEqual(JSON.parse(await readText(child.stdout)), error);
    });

    it("refuses an agentSocket that is no path", async () => {
      for (const agentSocket of [1, null, "", "agent.sock", `/${"a".repeat(107)}`, "/\0", "/\u00e9"])
        assert.deepEqual(failure(await call("DEL", { agentSocket })), {
          cniVersion: "1.0.0",
          code: 7,
          msg: NO_PATH,
        });
    });

    it("tells that there is no agent, in the version asked for: code 50 for STATUS, 11 else", async () => {
      const at = (name: string): string => join(folder, name);
      writeFileSync(at("file"), "");
      symlinkSync("loop", at("loop"));
      for (const [command, code, agentSocket, details] of [
        ["ADD", 11, at("nowhere"), "ENOENT"],
        ["STATUS", 50, at('"quoted\\'), "ENOENT"],
        ["DEL", 11, `/${"a".repeat(106)}`, "ENOENT"],
        ["FROB", 11, at("file"), "ECONNREFUSED"],
        ["CHECK", 11, at("file/agent.sock"), "ENOTDIR"],
        ["GC", 11, at("loop"), "ELOOP"],
      ] as const)
        assert.deepEqual(failure(await call(command, { agentSocket })), {
          cniVersion: "1.0.0",
          code,
          msg: unreachable(agentSocket),
          details,
        });
      const old = failure(await run("ADD", JSON.stringify({ agentSocket: at("nowhere") })));
      assert.equal((old as { cniVersion: string }).cniVersion, "0.1.0");
    });

    it("ends with code 1 where nothing can be printed", async () => {
      const full = openSync("/dev/full", "w");
      const child = spawn(program, [], { stdio: ["pipe", full, "ignore"], env: { CNI_COMMAND: "VERSION" } });
      child.stdin?.end("{}");
      assert.deepEqual(await once(child, "close"), [1, null]);
    });

    describe("with an agent at the other end that", () => {
      let server: Server;
      let agentSocket: string;
      let respond: (socket: Socket) => void;
      before(async () => {
        agentSocket = join(folder, "agent.sock");
        server = createServer((socket) => {
          socket.on("error", () => undefined);
          respond(socket);
        });
        server.listen({ path: agentSocket });
        await once(server, "listening");
      });
      after(() => {
        server.close();
      });

      /** Once the whole call is there. */
      const whenCalled = (socket: Socket, then: (call: Buffer) => void): void => {
        let received: Buffer = Buffer.alloc(0);
        socket.on("data", (data) => {
          received = Buffer.concat([received, data]);
          const end = received.indexOf("\r\n\r\n");
          const [, length = "0"] = /content-length: ([0-9]+)\r\n/.exec(received.toString("latin1")) ?? [];
          if (end >= 0 && received.length >= end + 4 + Number(length)) then(received);
        });
      };
      const answering = (answer: string): void => {
        respond = (socket) => {
          whenCalled(socket, () => socket.end(answer));
        };
      };
      const ok = (body: string): string => `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${body}`;

      it("answers is told exactly the specification's variables and standard input, and passed on as it is", async () => {
        const stdin = Buffer.from(`{"agentSocket":"${agentSocket}","a":"\u00e9"} \n`.padEnd(1024 * 1024 - 1));
        let heard: Buffer = Buffer.alloc(0);
        respond = (socket) => {
          whenCalled(socket, (received) => {
            heard = received;
            // One octet at a time.
            for (const octet of ok('{ "b" :\n"\u00e9"}')) socket.write(octet);
            socket.end();
          });
        };
        const environment = { CNI_COMMAND: "ADD", CNI_NETNS: "", CNI_ARGS: "\u00e9=\n", CNI_FROB: "x" };
        const outcome = await execute(program, [], { stdin, env: environment });
        assert.deepEqual(outcome, { code: 0, stdout: '{ "b" :\n"\u00e9"}', stderr: "" });
        const body = encodeCall(environment, stdin);
        const head = `POST /cni HTTP/1.0\r\ncontent-type: application/vnd.margay.cni-call\r\ncontent-length: ${body.length}\r\n\r\n`;
        assert.ok(heard.equals(Buffer.concat([Buffer.from(head), body])));
      });

      it("has nothing to say, or refuses, is passed on", async () => {
        answering(ok(""));
        assert.deepEqual(await call("DEL", { agentSocket }), { code: 0, stdout: "", stderr: "" });
        const error = '{"code":102,"msg":"no"}\n';
        answering(`HTTP/1.1 422 Unprocessable Entity\r\n\r\n${error}`);
        assert.deepEqual(await call("ADD", { agentSocket }), { code: 1, stdout: error, stderr: "" });
      });

      it("gives no answer of its own is code 5", async () => {
        const wrong = [
          ...["[]", '{"a":', '{"a":1}x'].map(ok),
          ...["HTTP/1.1 500 Oh\r\n\r\n{}", "HTTP/1.1 422 No\r\n\r\n", "frob\r\n\r\n{}"],
          ok(`{"a":"${"a".repeat(4 * 1024 * 1024)}"}`),
        ];
        const error = { cniVersion: "1.0.0", code: 5, msg: NO_ANSWER };
        for (const answer of wrong) {
          answering(answer);
          const outcome = await call("DEL", { agentSocket });
          assert.deepEqual(failure(outcome), error, answer.slice(0, 60));
        }
        answering(ok(""));
        assert.deepEqual(failure(await call("ADD", { agentSocket })), error);
      });

      it("hangs up is unreachable", async () => {
        for (const answer of ["", "HTTP/1.1 200 OK\r\n"]) {
          answering(answer);
          assert.deepEqual(failure(await call("STATUS", { agentSocket })), {
            cniVersion: "1.0.0",
            code: 50,
            msg: unreachable(agentSocket),
            details: "the connection was closed before an answer came",
          });
        }
      });

      it("answers while the plugin was stopped is heard", async () => {
        const child = spawn(program, [], { stdio: "pipe", env: { ...process.env, CNI_COMMAND: "ADD" } });
        respond = (socket) => {
          whenCalled(socket, () => {
            child.kill("SIGSTOP");
            child.kill("SIGCONT");
            socket.end(ok('{"a":1}'));
          });
        };
        child.stdin.end(JSON.stringify({ ...CONFIG, agentSocket }));
        assert.equal(await readText(child.stdout), '{"a":1}');
      });
    });
  });
}
