// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Lab, MARGAY, createLab, execute, succeed } from "./harness.ts";

const PASSWORD = "a 'password' {of} ours";
/** What files of a node may hold, by the files. */
const SECRETS = {
  "secrets/routers/one": 'first "of" two',
  "secrets/routers/..data/two": "second-of-two",
  "api-token": "0123456789abcdef0123456789abcdef-token",
  "etcd-password": "what etcd asks for",
  "etcd.key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
  "wireguard.key": "cHJpdmF0ZSBrZXkgb2Ygb3VycywgMzIgYnl0ZXMhISE=",
} as const;

describe("margay node diags", () => {
  let lab: Lab;
  let directory: string;
  let state: string;
  before(async () => {
    lab = await createLab();
    directory = await mkdtemp(join(tmpdir(), "margay-diags-test-"));
    state = dirname(lab.agentSocket("host1"));
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  /** Collects on host1, and unpacks it; gives each file's text by its name. */
  async function collect(...more: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const output = join(directory, "bundle.tar.gz");
    const options = ["-o", output, "--socket", lab.agentSocket("host1"), ...more];
    const told = await lab.exec("host1", MARGAY, "node", "diags", ...options);
    assert.equal(told, `${output}\n`);
    assert.equal((await stat(output)).mode & 0o777, 0o600);
    const into = await mkdtemp(join(directory, "unpacked-"));
    await succeed("tar", ["-C", into, "-xzf", output]);
    assert.deepEqual(await readdir(into), ["bundle"]);
    const files = await readdir(join(into, "bundle"), { recursive: true, withFileTypes: true });
    const texts = new Map<string, string>();
    for (const file of files.filter((one) => one.isFile())) {
      const path = join(file.parentPath, file.name);
      texts.set(path.slice(join(into, "bundle").length + 1), await readFile(path, "utf8"));
    }
    return texts;
  }

  it("holds what the kernel, BIRD, the agent and the datastore say", async () => {
    const texts = await collect("--config", join(state, "agent.json"));
    const holds: readonly (readonly [file: string, text: RegExp])[] = [
      ["versions", /^margay \d/],
      ["system/uname", /^\$ uname -a\nLinux /],
      ["network/route-4", /^\$ ip -4 route show table all\n.*10\.1\./s],
      ["network/link", /cali[0-9a-f]{11}/],
      ["network/nftables", /^\$ nft list ruleset\n/],
      ["bird/protocols", /BGP state: +Established/],
      ["bird/routes", /10\.1\.\S+ +/],
      ["bird/bird.conf", /protocol bgp /],
      ["agent/status.json", /"nodeName": "host1"/],
      ["agent/health.json", /"ok": true/],
      ["agent/readiness.json", /"name": "bird"/],
      ["agent/differences.json", /\{|\[/],
      ["agent/endpoints.json", /"interface": "cali/],
      ["agent/routes.json", /"origin": "bird"/],
      ["agent/neighbours.json", /"mac"/],
      ["agent/bgp.json", /"Established"/],
      ["agent/ipam.json", /"cidr": "10\.1\./],
      ["agent/metrics", /^margay_ready 1$/m],
      ["agent/agent.yaml", /"nodeName":\s*"host1"/],
      ["agent/datastore.yaml", /kind: IPPoolList/],
      ["doctor", /^.*checks? (is|are) well/],
      ["log/bird.log", /./],
      ["log/agent.log", /"message":/],
    ];
    for (const [file, text] of holds) assert.match(texts.get(file) ?? assert.fail(`no ${file}`), text, file);
    // Not every machine has these two.
    const lost = Array.from(texts).filter(([, text]) => text.includes("Cannot be had"));
    const others = lost.filter(([, text]) => !/Cannot run "(wg|journalctl)"/.test(text));
    assert.deepEqual(others, []);
  });

  it("holds no password and no key, wherever they are", async () => {
    for (const [file, secret] of Object.entries(SECRETS)) {
      const path = join(file === "wireguard.key" ? state : directory, file);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `-----BEGIN-----\n${secret}\n`.slice(file === "etcd.key" ? 0 : 16), {
        mode: 0o600,
      });
    }
    const config = join(directory, "agent.yaml");
    const at = (file: keyof typeof SECRETS): string => join(directory, file);
    await writeFile(
      config,
      JSON.stringify({
        nodeName: "host1",
        secretsDirectory: join(directory, "secrets"),
        api: { port: 9100, tokenFile: at("api-token") },
        datastore: {
          kind: "etcd",
          endpoints: ["https://192.0.2.1:2379"],
          user: "margay",
          passwordFile: at("etcd-password"),
          certFile: at("etcd-password"),
          keyFile: at("etcd.key"),
        },
      }),
    );
    await writeFile(join(state, "other.secret"), "another secret\n");
    // In a log, in the kernel, and in the datastore.
    const secrets = Object.values(SECRETS);
    const lines = secrets.map((secret) => JSON.stringify({ message: `it was ${secret} there` }));
    await appendFile(join(state, "agent.log"), `${lines.join("\n")}\n`);
    await lab.exec("host1", "ip", "link", "set", "lo", "alias", secrets.join(" "));
    const annotations = Object.fromEntries(secrets.map((secret, index) => [`seed-${index}`, secret]));
    const patch = JSON.stringify({ metadata: { annotations } });
    await lab.exec(
      "host1",
      MARGAY,
      "patch",
      "node",
      "host1",
      "-p",
      patch,
      "--socket",
      lab.agentSocket("host1"),
    );
    // The agent writes the configuration anew for that.
    await lab.repair();
    await appendFile(join(state, "bird", "bird.conf"), `\n# password "${PASSWORD}";\n`);
    await appendFile(join(state, "bird", "bird.log"), `somebody wrote ${PASSWORD} here\n`);

    const texts = await collect("--config", config);
    const all = Array.from(texts, ([file, text]) => `${file}\n${text}`).join("\n");
    for (const secret of [PASSWORD, ...secrets, "another secret"]) {
      assert.ok(!all.includes(secret), secret);
      assert.ok(!all.includes(JSON.stringify(secret).slice(1, -1)), secret);
    }
    // Each was there to be left out.
    assert.equal(texts.get("log/agent.log")?.match(/it was \(left out\) there/g)?.length, secrets.length);
    assert.match(texts.get("network/link") ?? "", /alias( \(left out\)){6}/);
    assert.equal(
      texts.get("agent/datastore.yaml")?.match(/seed-\d: .*\(left out\)/g)?.length,
      secrets.length,
    );
    assert.ok(all.includes("somebody wrote (left out) here"));
    assert.match(all, /# password "\(left out\)";/);
    assert.ok(!texts.has("log/wireguard.key"));
  });

  it("says in its place what cannot be had", async () => {
    const output = join(directory, "bare.tar.gz");
    const { code } = await execute(MARGAY, [
      "node",
      "diags",
      "-o",
      output,
      "--socket",
      join(directory, "none.sock"),
    ]);
    assert.equal(code, 0);
    const text = await succeed("tar", ["-xzOf", output, "bare/agent/status.json"]);
    assert.match(text, /^Cannot be had: .*ENOENT/);
  });

  it("leaves no file where it cannot be written", async () => {
    const { code, stderr } = await execute(MARGAY, [
      "node",
      "diags",
      "-o",
      join(directory, "none", "x.tar.gz"),
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /ENOENT/);
  });
});

it("margay node checksystem tells of this machine, by its exit code too", async () => {
  const { code, stdout } = await execute(MARGAY, ["node", "checksystem", "--json", "--for", "bgp", "vxlan"]);
  const { ok, checks } = JSON.parse(stdout) as {
    ok: boolean;
    checks: { name: string; ok: boolean; found: string }[];
  };
  assert.equal(code, ok ? 0 : 1);
  // What the other tests could not run without.
  for (const name of ["user", "kernel", "/proc/sys", "ip", "veth", "bird", "nft", "nftables", "vxlan"])
    assert.equal(checks.find((check) => check.name === name)?.ok, true, name);
  assert.equal(code, 0);
});
