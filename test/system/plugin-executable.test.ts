// SPDX-License-Identifier: Apache-2.0
// The plugin as one file: it runs where there is nothing but itself, the C library, /proc and the agent's socket.
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { LATEST_VERSION, SUPPORTED_VERSIONS } from "../../src/cni/version.ts";
import { type Lab, type Outcome, createLab, execute, killAgent, succeed } from "./harness.ts";

const BUILD = join(import.meta.dirname, "../../scripts/build");
const EXECUTABLE = join(import.meta.dirname, `../../dist/margay-cni-${process.arch}`);

/** Mounts what programs need into the folder `$1`, for this process alone, and runs the plugin in it. */
const IN_BARE_ROOT = `
  for folder in usr/lib usr/lib64 run proc; do [ ! -d "$1/$folder" ] || mount --bind "/$folder" "$1/$folder"; done
  exec chroot "$1" /margay-cni`;

/** A file system with nothing in it but the plugin; Debian's /lib and /lib64 are links into /usr. */
function makeBareRoot(): string {
  const root = mkdtempSync(join(tmpdir(), "margay-plugin-"));
  for (const folder of ["usr/lib", "usr/lib64", "run", "proc"]) {
    if (existsSync(`/${folder}`)) mkdirSync(join(root, folder), { recursive: true });
  }
  symlinkSync("usr/lib", join(root, "lib"));
  symlinkSync("usr/lib64", join(root, "lib64"));
  cpSync(EXECUTABLE, join(root, "margay-cni"));
  return root;
}

describe("the plugin's executable, alone in a file system", () => {
  let lab: Lab;
  let root: string;
  let netns: string;
  before(async () => {
    await succeed(BUILD, []);
    root = makeBareRoot();
    lab = await createLab({ routeSource: "datastore" });
    netns = `${lab.name}file`;
    await succeed("ip", ["netns", "add", netns]);
  });
  after(async () => {
    await succeed("ip", ["netns", "del", netns]);
    await lab[Symbol.asyncDispose]();
    rmSync(root, { recursive: true });
  });

  const run = (stdin: string, env: Readonly<Record<string, string>>): Promise<Outcome> =>
    execute("unshare", ["--mount", "--propagation", "private", "sh", "-ec", IN_BARE_ROOT, "sh", root], {
      stdin,
      env,
    });
  const call = (command: string, config: object = {}): Promise<Outcome> => {
    const network = {
      cniVersion: "1.0.0",
      name: "margay",
      type: "margay-cni",
      agentSocket: lab.agentSocket("host1"),
    };
    return run(JSON.stringify({ ...network, ...config }), {
      CNI_COMMAND: command,
      CNI_CONTAINERID: "one-file",
      CNI_NETNS: `/run/netns/${netns}`,
      CNI_IFNAME: "eth0",
      CNI_PATH: "/opt/cni/bin",
    });
  };
  const codeOf = ({ code, stdout, stderr }: Outcome): number => {
    assert.deepEqual([code, stderr], [1, ""], stdout);
    return (JSON.parse(stdout) as { readonly code: number }).code;
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
      assert.deepEqual(await call("DEL", { cniVersion, prevResult }), { code: 0, stdout: "", stderr: "" });
      assert.doesNotMatch(await succeed("ip", ["-n", netns, "-br", "link"]), /eth0/);
    });
  }

  it("checks, and passes on what the agent has to object", async () => {
    const prevResult: unknown = JSON.parse((await call("ADD")).stdout);
    assert.deepEqual(await call("CHECK", { prevResult }), { code: 0, stdout: "", stderr: "" });
    assert.equal(codeOf(await call("ADD")), 4);
    await succeed("ip", ["-n", netns, "route", "del", "default"]);
    assert.equal(codeOf(await call("CHECK", { prevResult })), 101);
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

  it("gives the specification's codes for what it refuses itself", async () => {
    for (const stdin of ["", "{", "[]", '"\u0000"', "\ud83d"])
      assert.equal(codeOf(await run(stdin, {})), 6, stdin);
    assert.equal(codeOf(await call("ADD", { agentSocket: 1 })), 7);
    assert.equal(codeOf(await call("FROB")), 4);
    assert.equal(codeOf(await call("ADD", { cniVersion: "9.9.9" })), 1);
  });

  it("reads no settings where it is started, and writes nothing", async () => {
    const before = readdirSync(root, { recursive: true }).length;
    writeFileSync(join(root, ".env"), "CNI_COMMAND=VERSION\n");
    writeFileSync(join(root, "bunfig.toml"), 'preload = ["./preload.js"]\n');
    writeFileSync(join(root, "preload.js"), 'process.stdout.write("loaded");\n');
    const config = {
      cniVersion: "1.0.0",
      name: "margay",
      type: "margay-cni",
      agentSocket: lab.agentSocket("host1"),
    };
    assert.equal(codeOf(await run(JSON.stringify(config), {})), 4);
    assert.equal(readdirSync(root, { recursive: true }).length, before + 3);
  });

  it("answers with code 11 while the agent is down", async () => {
    await killAgent(lab, "host1");
    assert.equal(codeOf(await call("ADD")), 11);
    assert.equal(codeOf(await call("STATUS", { cniVersion: LATEST_VERSION })), 50);
    assert.equal(codeOf(await call("DEL")), 11);
  });
});
