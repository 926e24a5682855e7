// SPDX-License-Identifier: Apache-2.0
// What users install, from being made to being taken away again, where there is no trace of this repository.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { readVersion } from "../../src/system/version.ts";
import { type Outcome, succeed } from "./harness.ts";
import { type Machine, createMachine } from "./machine.ts";

const REPOSITORY = dirname(dirname(import.meta.dirname));
const DIST = join(REPOSITORY, "dist");
/** Without git there is no commit to take it from. */
const TIME = { SOURCE_DATE_EPOCH: "1800000000" };
/** Packages what is in the repository `$2` from another folder, in `$1`, as one has it who keeps files to himself. */
const PACKAGE_COPY = `
  mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/written,workdir=$1/work" "$1/copy"
  mount --bind "$1/dist" "$1/copy/dist"
  cd "$1/copy"
  umask 077
  chmod -R go= bin docs src *.md LICENSE
  exec scripts/package`;
const version = readVersion();

function packageFile(ending: string, folder = DIST): string {
  const [name = assert.fail(`no ${ending} in ${folder}`)] = readdirSync(folder).filter(
    (file) => file.includes(version) && file.endsWith(ending),
  );
  return join(folder, name);
}

function succeeded({ code, stdout, stderr }: Outcome): string {
  assert.equal(code, 0, `${stdout}${stderr}`);
  return stdout;
}

/** What is left of Margay's; what others keep of what they did, such as dpkg's log, is theirs. */
function leftOvers(machine: Machine): readonly string[] {
  return machine.written().filter((path) => /margay|cni|cali/.test(path));
}

async function inNamespace(action: (netns: string) => Promise<void>): Promise<void> {
  const netns = `pkg${process.pid}`;
  await succeed("ip", ["netns", "add", netns]);
  try {
    await action(netns);
  } finally {
    await succeed("ip", ["netns", "del", netns]);
  }
}

describe("packages", () => {
  before(async () => {
    await succeed(join(REPOSITORY, "scripts/package"), [], { env: TIME });
  });

  it("are the same, byte for byte, when they are made again elsewhere", async () => {
    const folder = mkdtempSync(join(tmpdir(), "margay-package-"));
    try {
      for (const part of ["copy", "written", "work", "dist"]) mkdirSync(join(folder, part));
      const args = [
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        PACKAGE_COPY,
        "sh",
        folder,
        REPOSITORY,
      ];
      await succeed("unshare", args, { env: { ...TIME, TZ: "Asia/Tokyo" } });
      for (const ending of [".tgz", ".deb"]) {
        const again = readFileSync(packageFile(ending, join(folder, "dist")));
        assert.ok(readFileSync(packageFile(ending)).equals(again), `the ${ending} files differ`);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("Debian's: installs, runs a lab, makes the machine a node, and goes without a trace", async () => {
    using machine = createMachine();
    machine.put(packageFile(".deb"), "/tmp/package.deb");
    succeeded(await machine.run(["dpkg", "--install", "/tmp/package.deb"]));
    machine.remove("/tmp/package.deb");
    assert.equal(succeeded(await machine.run(["margay", "version"])), `${version}\n`);
    const lab = ["margay", "lab", "run", "--once", "--name", `pkg${process.pid}`];
    assert.match(succeeded(await machine.run(lab)), /16 of 16 pairs reach each other/);
    succeeded(await machine.run(["margay", "node", "install", "--node-name", "host1"]));
    const plugin = [
      "sh",
      "-c",
      `echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION /opt/cni/bin/margay-cni`,
    ];
    assert.match(succeeded(await machine.run(plugin)), /supportedVersions/);
    // While a container is attached, nobody may take the plugin away.
    await inNamespace(async (netns) => {
      await succeed("ip", [
        "-n",
        netns,
        "link",
        "add",
        "cali0123456789a",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
      ]);
      const refused = await machine.run(["dpkg", "--purge", "margay"], { netns });
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /1 containers are attached \(cali0123456789a\)/);
    });
    assert.match(succeeded(await machine.run(plugin)), /supportedVersions/);
    succeeded(await machine.run(["dpkg", "--purge", "margay"]));
    assert.deepEqual(leftOvers(machine), []);
  });

  it("npm's: installs, knows the kernel, makes the machine a node, and goes without a trace", async () => {
    using machine = createMachine();
    machine.put(packageFile(".tgz"), "/tmp/package.tgz");
    machine.put(process.execPath, "/usr/local/bin/node");
    const npm = ["npm", "--global", "--prefix", "/usr/local", "--prefer-offline", "--no-audit", "--no-fund"];
    succeeded(await machine.run([...npm, "--ignore-scripts", "install", "/tmp/package.tgz"]));
    assert.equal(succeeded(await machine.run(["margay", "version"])), `${version}\n`);
    assert.match(succeeded(await machine.run(["margay", "node", "checksystem"])), /address/);
    succeeded(await machine.run(["margay", "node", "install", "--node-name", "host1"]));
    const service = await machine.run(["cat", "/etc/systemd/system/margay-agent.service"]);
    assert.match(
      succeeded(service),
      /^ExecStart=\/usr\/local\/lib\/node_modules\/margay\/bin\/margay agent /m,
    );
    await inNamespace(async (netns) => {
      // Of others, on an interface of others.
      await succeed("ip", ["-n", netns, "link", "set", "lo", "up"]);
      const route = ["-n", netns, "route", "add", "198.51.100.0/24", "dev", "lo", "proto"];
      await succeed("ip", [...route, "static"]);
      await succeed("ip", [...route, "80", "metric", "1024"]);
      succeeded(await machine.run(["margay", "node", "uninstall", "--purge"], { netns }));
      assert.match(
        await succeed("ip", ["-n", netns, "route"]),
        /^198.51.100.0\/24 dev lo proto static[^\n]*\n$/,
      );
    });
    succeeded(await machine.run([...npm, "uninstall", "margay"]));
    succeeded(await machine.run(["rm", "-rf", "/var/cache/margay"]));
    assert.deepEqual(leftOvers(machine), []);
  });
});
