// SPDX-License-Identifier: Apache-2.0
// `margay node install` and `uninstall` on file systems of their own, with Debian's plugins.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { afterEach, before, beforeEach, describe, it } from "node:test";
import { readAgentConfig } from "../../src/agent/config.ts";
import { type InstallOptions, installNode } from "../../src/install/install.ts";
import { parseNodeName } from "../../src/model/name.ts";
import { systemProcesses } from "../../src/system/process.ts";
import { MARGAY, execute, succeed } from "./harness.ts";

const CONFLIST = "etc/cni/net.d/10-margay.conflist";
const CONFIG = "etc/margay/agent.yaml";
const SERVICE = "etc/systemd/system/margay-agent.service";

describe("margay node install", () => {
  let root: string;
  before(async () => {
    await succeed(join(import.meta.dirname, "../../scripts/build"), []);
  });
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "margay-node-"));
    mkdirSync(join(root, "usr/lib/cni"), { recursive: true });
    for (const plugin of ["portmap", "bandwidth"])
      cpSync(join("/usr/lib/cni", plugin), join(root, "usr/lib/cni", plugin));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  const margay = (command: string, ...args: readonly string[]): Promise<string> =>
    succeed(MARGAY, ["node", command, "--root", root, ...args]);
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const paths = (): readonly string[] => readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  const tools = { processes: systemProcesses, signal: new AbortController().signal };
  /** Installs from here, which saves a process, with a plugin that is small; gives what was done to each path that is not as it was. */
  const install = async (more: Partial<InstallOptions> = {}): Promise<Readonly<Record<string, string>>> => {
    const options = {
      root,
      nodeName: parseNodeName("host1"),
      cniBinDirectory: "/opt/cni/bin",
      cniConfigDirectory: "/etc/cni/net.d",
      chain: [],
      program: MARGAY,
      plugin: "/bin/true",
      overwrite: false,
      dryRun: false,
      ...more,
    };
    const steps = await installNode(options, tools);
    return Object.fromEntries(
      steps.filter(({ kind }) => kind !== "none").map(({ path, kind }) => [path, kind]),
    );
  };

  it("lays the node out, goes by the same places when repeated, and uninstall leaves the node as it was", async () => {
    const start = paths();
    const places = ["--cni-bin-dir", "/opt/bin", "--node-name", "host1"];
    assert.match(await margay("install", ...places, "--dry-run"), /^would write \/opt\/bin\/margay-cni$/m);
    assert.deepEqual(paths(), start);
    await margay("install", ...places);
    assert.equal(statSync(join(root, "opt/bin/margay-cni")).mode & 0o7777, 0o755);
    assert.equal(readlinkSync(join(root, "opt/bin/portmap")), "/usr/lib/cni/portmap");
    assert.equal((await readAgentConfig(join(root, "etc/margay/agent.yaml"))).nodeName, "host1");
    assert.match(
      read("etc/NetworkManager/conf.d/margay.conf"),
      /^unmanaged-devices\+=interface-name:cali\*;/m,
    );
    await succeed("systemd-analyze", ["verify", "--man=no", join(root, SERVICE)]);
    const repeated = await margay("install", "--no-chain");
    assert.match(repeated, /^removed \/opt\/bin\/portmap$/m);
    assert.match(repeated, new RegExp(`^written /${CONFLIST}$`, "m"));
    assert.deepEqual(readdirSync(join(root, "opt")), ["bin"]);
    assert.match(await margay("uninstall"), /goes on until the next boot/);
    assert.deepEqual(paths(), start);
    const again = await execute(MARGAY, ["node", "uninstall", "--root", root]);
    assert.deepEqual([again.code, again.stdout], [3, ""]);
  });

  it("chains plugins at the latest version of CNI that all of them know", async () => {
    await install({ chain: ["portmap", "bandwidth"] });
    const list = JSON.parse(read(CONFLIST)) as { cniVersion: string; plugins: { type: string }[] };
    assert.deepEqual(
      list.plugins.map(({ type }) => type),
      ["margay-cni", "portmap", "bandwidth"],
    );
    for (const plugin of ["portmap", "bandwidth"]) {
      const answer = await succeed(join("/usr/lib/cni", plugin), [], {
        stdin: JSON.stringify({ cniVersion: list.cniVersion }),
        env: { CNI_COMMAND: "VERSION" },
      });
      const { supportedVersions } = JSON.parse(answer) as { supportedVersions: string[] };
      assert.ok(supportedVersions.includes(list.cniVersion));
    }
  });

  it("keeps what others have written or changed, tells of it, and overwrites it where asked to", async () => {
    const foreign = "etc/systemd/network/10-margay.network";
    mkdirSync(join(root, "etc/systemd/network"), { recursive: true });
    writeFileSync(join(root, foreign), "# theirs\n");
    assert.equal((await install())[`/${foreign}`], "keep");
    for (const path of [CONFLIST, CONFIG]) appendFileSync(join(root, path), "\n");
    const changed = [read(CONFLIST), read(CONFIG)];
    const kept = { [`/${foreign}`]: "keep", [`/${CONFLIST}`]: "keep", [`/${CONFIG}`]: "keep" };
    assert.deepEqual(await install(), kept);
    assert.deepEqual([read(CONFLIST), read(CONFIG), read(foreign)], [...changed, "# theirs\n"]);
    const overwritten = { [`/${foreign}`]: "write", [`/${CONFLIST}`]: "write", [`/${CONFIG}`]: "keep" };
    assert.deepEqual(await install({ overwrite: true }), overwritten);
    assert.deepEqual([read(CONFLIST), read(CONFIG)], [changed[0]?.slice(0, -1), changed[1]]);
    appendFileSync(join(root, SERVICE), "# changed\n");
    const output = await margay("uninstall");
    for (const path of [SERVICE, CONFIG])
      assert.match(output, new RegExp(`^kept /${path}: it was changed$`, "m"));
    const files = paths().filter((path) => statSync(join(root, path)).isFile() && !path.startsWith("usr"));
    assert.deepEqual(files, [CONFIG, SERVICE]);
  });

  it("knows a file that it had begun to replace when it was killed", async () => {
    await install();
    const record = "var/lib/margay/install.json";
    const last = read(record);
    await install({ plugin: "/bin/false" });
    const next = JSON.parse(read(record)) as { files: { fingerprints: string[] }[] };
    // As it is between the two: both versions are recorded, and the earlier one is there.
    const before = JSON.parse(last) as typeof next;
    next.files.forEach(({ fingerprints }, index) =>
      fingerprints.unshift(...(before.files[index]?.fingerprints ?? [])),
    );
    writeFileSync(join(root, record), JSON.stringify(next));
    cpSync("/bin/true", join(root, "opt/cni/bin/margay-cni"));
    await install({ plugin: "/bin/false" });
    assert.equal((await execute(join(root, "opt/cni/bin/margay-cni"), [])).code, 1);
  });

  it("replaces the plugin while a runtime runs it", async () => {
    await install({ plugin: "/bin/cat" });
    const program = join(root, "opt/cni/bin/margay-cni");
    const running = spawn(program, [], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(running, "exit");
    await install({ plugin: "/bin/true" });
    running.stdin.end("still here");
    assert.equal(await readText(running.stdout), "still here");
    assert.deepEqual(await ended, [0, null]);
    assert.equal((await execute(program, [])).code, 0);
  });

  it("never lets a runtime read half a network", async () => {
    await install();
    const done = new AbortController();
    const seen = new Set<string>();
    const reading = (async () => {
      while (!done.signal.aborted) {
        const list = await readFile(join(root, CONFLIST), "utf8");
        seen.add(String((JSON.parse(list) as { plugins: unknown[] }).plugins.length));
        const networks = readdirSync(join(root, "etc/cni/net.d")).filter((name) =>
          /\.(conf|conflist|json)$/.test(name),
        );
        assert.deepEqual(networks, ["10-margay.conflist"]);
      }
    })();
    for (let round = 0; round < 20; round++) await install({ chain: round % 2 === 0 ? ["portmap"] : [] });
    done.abort();
    await reading;
    assert.equal(seen.size, 2);
  });

  it("refuses what it cannot do before it writes anything", async () => {
    const start = paths();
    const refuse = async (code: number, message: RegExp, ...args: readonly string[]): Promise<void> => {
      const { code: found, stderr } = await execute(MARGAY, ["node", "install", "--root", root, ...args]);
      assert.match(stderr, message);
      assert.equal(found, code);
      assert.deepEqual(paths(), start);
    };
    await refuse(2, /want a lower-case RFC 1123 subdomain/, "--node-name", "Host_1");
    await refuse(1, /Cannot chain "firewall": it is neither in/, "--chain", "firewall");
    await refuse(1, /Cannot run "\/a b" as a service/, "--node-name", "host1", "--program", "/a b");
  });
});
