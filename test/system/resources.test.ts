// SPDX-License-Identifier: Apache-2.0
// The operator's command on resources, against the socket of an agent that runs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { affinityKey, resourceKey } from "../../src/model/keys.ts";
import { parseNodeName } from "../../src/model/name.ts";
import { parseCidr } from "../../src/net/cidr.ts";
import { MARGAY, type Lab, type Outcome, createLab, eventually, execute } from "./harness.ts";

const ONE_HOST = fileURLToPath(new URL("one-host.yaml", import.meta.url));
const DEFAULT_POOL = "default-ipv4-ippool";

interface Resource {
  readonly metadata: Readonly<Record<string, string>> & {
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: unknown;
}

function pool(name: string, spec: object, metadata: object = {}): string {
  return JSON.stringify({
    apiVersion: "projectcalico.org/v3",
    kind: "IPPool",
    metadata: { name, ...metadata },
    spec,
  });
}

describe("margay on resources", () => {
  let lab: Lab;
  let directory: string;
  before(async () => {
    lab = await createLab({ topology: ONE_HOST, routeSource: "datastore" });
    directory = await mkdtemp(join(tmpdir(), "margay-resources-"));
    // The agent says so a moment after it is ready, and by that gives the pool another version.
    await eventually(
      async () => (await margay(["get", "pools"])).stdout.includes("True"),
      "the pool's state",
    );
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const margay = (args: readonly string[], stdin = ""): Promise<Outcome> =>
    execute(MARGAY, [...args, "--socket", lab.agentSocket("host1")], { stdin });
  const says = async (args: readonly string[], wanted: Partial<Outcome>, stdin = ""): Promise<void> => {
    const outcome = await margay(args, stdin);
    assert.deepEqual({ code: 0, stdout: "", stderr: "", ...wanted }, outcome);
  };
  const get = async (kind: string, name: string): Promise<Resource> =>
    JSON.parse((await margay(["get", kind, name, "-o", "json"])).stdout) as Resource;
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(directory, name);
    await writeFile(path, text);
    return path;
  };

  it("creates, shows, applies, patches, labels and deletes a pool", async () => {
    const text = pool("p1", { cidr: "10.9.0.0/24" });
    await says(["create", "-f", "-"], { stdout: 'IPPool "p1" created\n' }, text);
    const { metadata, spec } = await get("ippools", "p1");
    assert.match(metadata["uid"] ?? "", /^[0-9a-f-]{36}$/);
    assert.ok(Date.parse(metadata["creationTimestamp"] ?? "") > 0);
    assert.equal(spec["blockSize"], 26);
    await says(["apply", "-f", "-"], { stdout: 'IPPool "p1" unchanged\n' }, text);
    const next = pool("p1", { cidr: "10.9.0.0/24", disabled: true });
    await says(["apply", "-f", "-"], { stdout: 'IPPool "p1" changed\n' }, next);
    const patch = '{"spec":{"nodeSelector":"rack == \'a\'"}}';
    await says(["patch", "IPPool", "p1", "-p", patch], { stdout: 'IPPool "p1" changed\n' });
    await says(["label", "pool", "p1", "a=b", "c=d"], { stdout: 'IPPool "p1" changed\n' });
    await says(["label", "pool", "p1", "a-"], { stdout: 'IPPool "p1" changed\n' });
    const changed = await get("ipp", "p1");
    assert.equal(changed.metadata["uid"], metadata["uid"]);
    assert.deepEqual(changed.metadata.labels, { c: "d" });
    assert.equal(changed.spec["nodeSelector"], "rack == 'a'");
    assert.equal(changed.spec["disabled"], true);
    await says(["delete", "ippool", "p1"], { stdout: 'IPPool "p1" deleted\n' });
    await says(["get", "ippool", "p1"], { code: 3, stderr: 'margay: IPPool "p1": there is none\n' });
  });

  it("shows resources in every form", async () => {
    const { stdout: table } = await margay(["get", "ippools"]);
    assert.match(
      table,
      /^NAME +CIDR +SELECTOR +ALLOCATABLE\ndefault-ipv4-ippool +10\.1\.0\.0\/16 +all\(\) +True\n$/,
    );
    assert.match((await margay(["get", "ippools", "-o", "wide"])).stdout, /^NAME +CIDR +NAT +IPIPMODE/);
    await says(["get", "nodes", "-o", "name"], { stdout: "node/host1\n" });
    assert.match(
      (await margay(["get", "wep"])).stdout,
      /\nhost1-cni-\S+-eth0 +host1 +10\.1\.\S+\/32 +cali\S+\n$/,
    );
    assert.match((await margay(["get", "wep", "-A"])).stdout, /^NAMESPACE +NAME .*\ndefault /);
    const names = (kind: string, name: string): string =>
      `${JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name } })}\n---\n`;
    const files = await file("names.yaml", names("Node", "host1") + names("FelixConfiguration", "default"));
    await says(["get", "-f", files, "-o", "name"], { stdout: "node/host1\nfelixconfiguration/default\n" });
    const list = JSON.parse((await margay(["get", "-f", files, "-o", "json"])).stdout) as Record<
      string,
      unknown
    >;
    assert.equal(list["kind"], "List");
    assert.match((await margay(["get", "wep", "-n", "other"])).stdout, /^NAME +NODE +NETWORKS +INTERFACE\n$/);
    const yaml = await margay(["get", "ippool", DEFAULT_POOL, "-o", "yaml"]);
    await says(["apply", "-f", "-"], { stdout: `IPPool "${DEFAULT_POOL}" unchanged\n` }, yaml.stdout);
  });

  it("takes several documents, and writes none where one is wrong", async () => {
    const good = pool("p2", { cidr: "10.9.0.0/24" });
    const bad =
      'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: "a\\"b\\n{}"}\nspec:\n  cidr: nonsense\n';
    const path = await file("pools.yaml", `${good}\n---\n${bad}`);
    const { code, stdout, stderr } = await margay(["apply", "-f", path]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    const lines = stderr.trimEnd().split("\n");
    const place = `margay: ${path}: document 2, line`;
    assert.equal(
      lines[0],
      `${place} 5: ${String.raw`IPPool "a\"b\n{}"`}: metadata.name: want a lower-case RFC 1123 subdomain`,
    );
    assert.ok(lines[1]?.startsWith(`${place} 7: ${String.raw`IPPool "a\"b\n{}"`}: spec.cidr: `), lines[1]);
    await says(["get", "pool", "p2", "-o", "name"], {
      code: 3,
      stderr: 'margay: IPPool "p2": there is none\n',
    });
    const { code: validated, stderr: faults } = await execute(MARGAY, ["validate", "-f", path]);
    assert.equal(validated, 2);
    assert.equal(faults, stderr);
    // What only the datastore can tell is found before anything is written, too.
    const moved = pool(DEFAULT_POOL, { cidr: "10.2.0.0/16" });
    const other = await margay(["apply", "-f", "-"], `${good}\n---\n${moved}`);
    assert.equal(other.code, 2);
    assert.match(
      other.stderr,
      /^margay: standard input: document 2, line 3: IPPool "default-ipv4-ippool": spec\.cidr: it cannot change/,
    );
    assert.equal((await margay(["get", "pool", "p2"])).code, 3);
    await says(
      ["apply", "-f", "-", "-f", await file("p3.yaml", pool("p3", { cidr: "10.9.1.0/24" }))],
      { stdout: 'IPPool "p2" created\nIPPool "p3" created\n' },
      good,
    );
    await says(["delete", "-f", "-"], { stdout: 'IPPool "p2" deleted\n' }, good);
    await says(["delete", "pool", "p3"], { stdout: 'IPPool "p3" deleted\n' });
  });

  it("refuses a pool that gives out what another one or a node has", async () => {
    const overlapping: readonly (readonly [cidr: string, with_: string])[] = [
      ["10.1.128.0/17", 'pool "default-ipv4-ippool" ("10.1.0.0/16")'],
      ["192.168.0.0/20", 'the network of node "host1" ("192.168.0.0/24")'],
    ];
    for (const [cidr, other] of overlapping) {
      const line = `margay: standard input: document 1, line 1: IPPool "o": spec.cidr: pool "o" ("${cidr}") overlaps ${other}\n`;
      await says(["apply", "-f", "-"], { code: 2, stderr: line }, pool("o", { cidr }));
    }
    const both = await margay(
      ["create", "-f", "-"],
      `${pool("o1", { cidr: "10.9.0.0/24" })}\n---\n${pool("o2", { cidr: "10.9.0.0/16" })}`,
    );
    assert.equal(both.code, 2);
    assert.equal(both.stdout, "");
    assert.match(both.stderr, /pool "o1" \("10\.9\.0\.0\/24"\) overlaps pool "o2"/);
    await margay(["create", "-f", "-"], pool("o", { cidr: "10.1.128.0/17", disabled: true }));
    const enabled = await margay(["patch", "pool", "o", "-p", "spec: {disabled: false}"]);
    assert.equal(enabled.code, 2);
    assert.match(
      enabled.stderr,
      /^margay: IPPool "o": spec\.cidr: pool "o" .* overlaps pool "default-ipv4-ippool"/,
    );
    await says(["delete", "pool", "o"], { stdout: 'IPPool "o" deleted\n' });
  });

  it("refuses what has changed meanwhile, what is there already, and what is not there", async () => {
    const text = pool("p4", { cidr: "10.9.0.0/24" });
    await margay(["create", "-f", "-"], text);
    const before = (await margay(["get", "pool", "p4", "-o", "yaml"])).stdout;
    await margay(["label", "pool", "p4", "a=b"]);
    const late = await margay(["replace", "-f", "-"], before);
    assert.equal(late.code, 4);
    assert.match(late.stderr, /IPPool "p4": it has changed: its resourceVersion is "\d+", not "\d+"\n$/);
    assert.equal((await margay(["create", "-f", "-"], text)).code, 4);
    await says(
      ["create", "-f", "-", "--skip-exists"],
      { stdout: 'IPPool "p4" skipped: it is there already\n' },
      text,
    );
    const taken = await margay(["label", "pool", "p4", "a=c"]);
    assert.equal(taken.code, 4);
    assert.match(taken.stderr, /it has another value for label "a"; --overwrite replaces it/);
    assert.equal((await margay(["label", "pool", "p4", "a=c", "--overwrite"])).code, 0);
    await says(["delete", "pool", "p4"], { stdout: 'IPPool "p4" deleted\n' });
    assert.equal((await margay(["replace", "-f", "-"], text)).code, 3);
    assert.equal((await margay(["delete", "pool", "p4"])).code, 3);
    for (const option of ["--ignore-not-found", "--skip-not-exists"])
      await says(["delete", "pool", "p4", option], { stdout: 'IPPool "p4" skipped: there is none\n' });
    assert.equal((await margay(["patch", "pool", "p4", "-p", "{}"])).code, 3);
  });

  it("says by a dry run what would be done, and does nothing", async () => {
    const text = pool("p5", { cidr: "10.9.0.0/24" });
    await says(["apply", "-f", "-", "--dry-run"], { stdout: 'IPPool "p5" would be created\n' }, text);
    assert.equal((await margay(["get", "pool", "p5"])).code, 3);
    await says(["patch", "node", "host1", "-p", "spec: {bgp: {asNumber: 65001}}", "--dry-run"], {
      stdout: 'Node "host1" would be changed\n',
    });
    assert.equal((await get("node", "host1")).spec["asNumber"], undefined);
  });

  it("keeps what the agents recorded in a Node that is applied", async () => {
    const before = await get("node", "host1");
    const text =
      "apiVersion: projectcalico.org/v3\nkind: Node\nmetadata: {name: host1}\nspec: {bgp: {asNumber: 65001}}\n";
    await says(["apply", "-f", "-"], { stdout: 'Node "host1" changed\n' }, text);
    const { metadata, spec } = await get("node", "host1");
    assert.deepEqual(metadata["annotations"], before.metadata["annotations"]);
    assert.deepEqual(spec["bgp"], { ...(before.spec["bgp"] as object), asNumber: 65_001 });
    await margay(["patch", "node", "host1", "-p", '{"spec":{"bgp":{"asNumber":null}}}']);
    assert.deepEqual((await get("node", "host1")).spec, before.spec);
  });

  it("keeps fields of newer versions", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const key = resourceKey("IPPool", "p6");
    const spec = { cidr: "10.9.0.0/24", future: { x: [1] } };
    await store.put(key, pool("p6", spec));
    await margay(["patch", "pool", "p6", "-p", '{"spec":{"disabled":true}}']);
    await margay(["label", "pool", "p6", "a=b"]);
    await margay(["apply", "-f", "-"], pool("p6", { cidr: "10.9.0.0/24" }));
    const stored = JSON.parse((await store.get(key))?.value ?? "{}") as Resource;
    assert.deepEqual(stored.spec["future"], { x: [1] });
    const { stdout, stderr } = await margay(["get", "pool", "p6", "-o", "yaml", "--export"]);
    assert.match(
      stderr,
      /IPPool "p6" has fields that this version does not know, kept but not shown: spec\.future/,
    );
    await says(["apply", "-f", "-"], { stdout: 'IPPool "p6" unchanged\n' }, stdout);
    await margay(["delete", "pool", "p6"]);
  });

  it("does not delete what containers rely on, and takes a pool's blocks back before it goes", async () => {
    const used = await margay(["delete", "pool", DEFAULT_POOL]);
    assert.equal(used.code, 4);
    assert.match(
      used.stderr,
      /IPPool "default-ipv4-ippool": containers have 1 address of it, such as 10\.1\./,
    );
    const node = await margay(["delete", "node", "host1"]);
    assert.equal(node.code, 4);
    assert.match(node.stderr, /Node "host1": it has 1 container; remove them first/);
    await margay(["create", "-f", "-"], pool("p7", { cidr: "10.9.0.0/24" }));
    await margay(["patch", "pool", DEFAULT_POOL, "-p", '{"spec":{"disabled":true}}']);
    await lab.margay("add", "b", "--host", "host1");
    assert.match(await lab.address("b"), /^10\.9\.0\./);
    assert.equal((await margay(["delete", "pool", "p7"])).code, 4);
    await lab.margay("rm", "b");
    await margay(["patch", "pool", DEFAULT_POOL, "-p", '{"spec":{"disabled":false}}']);
    await says(["delete", "pool", "p7"], { stdout: 'IPPool "p7" deleted\n' });
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const { entries } = await store.list("/calico/ipam/v2/");
    assert.deepEqual(
      entries.map(({ key }) => key).filter((key) => key.includes("10.9.0.")),
      [],
    );
    await lab.margay("add", "b", "--host", "host1");
    assert.match(await lab.address("b"), /^10\.1\./);
    await lab.margay("rm", "b");
  });

  it("deletes a node that is gone for good with what it left, where that is forced", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const head = { apiVersion: "projectcalico.org/v3" };
    await margay(
      ["apply", "-f", "-"],
      JSON.stringify({ ...head, kind: "Node", metadata: { name: "ghost" } }),
    );
    const endpoint = {
      orchestrator: "cni",
      node: "ghost",
      containerID: "c",
      endpoint: "eth0",
      interfaceName: "cali1",
    };
    const metadata = { name: "ghost-cni-c-eth0" };
    const wep = JSON.stringify({ ...head, kind: "WorkloadEndpoint", metadata, spec: endpoint });
    await says(
      ["apply", "-f", "-"],
      { stdout: 'WorkloadEndpoint "default/ghost-cni-c-eth0" created\n' },
      wep,
    );
    const claim = affinityKey(parseNodeName("ghost"), parseCidr("10.1.7.0/26"));
    await store.put(claim, '{"state":"confirmed","deleted":false}');
    assert.equal((await margay(["delete", "node", "ghost"])).code, 4);
    await says(["delete", "node", "ghost", "--force"], { stdout: 'Node "ghost" deleted\n' });
    assert.equal((await margay(["get", "wep", metadata.name])).code, 3);
    assert.equal(await store.get(claim), undefined);
  });

  it("shows changes as they come", async () => {
    const child = spawn(MARGAY, ["get", "ippools", "--watch", "--socket", lab.agentSocket("host1")]);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    try {
      await eventually(() => Promise.resolve(stdout.includes(DEFAULT_POOL)), "the pools that there are");
      await margay(["create", "-f", "-"], pool("p8", { cidr: "10.9.0.0/24" }));
      await eventually(() => Promise.resolve(/^p8 +10\.9\.0\.0\/24/m.test(stdout)), "the new pool");
      await margay(["delete", "pool", "p8"]);
      await eventually(() => Promise.resolve(stderr.includes('IPPool "p8" deleted')), "its end");
    } finally {
      child.kill("SIGINT");
    }
    const [code] = (await once(child, "exit")) as [number];
    assert.equal(code, 0);
  });

  it("completes names of resources in bash", async () => {
    const script = await file("margay.bash", (await execute(MARGAY, ["completion", "bash"])).stdout);
    const complete = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _margay; echo "\${COMPREPLY[*]}"`;
    const words = [MARGAY, "delete", "--socket", lab.agentSocket("host1"), "ippool", "def"];
    const { stdout } = await execute("bash", ["--norc", "-c", complete, "bash", script, ...words]);
    assert.equal(stdout, `${DEFAULT_POOL}\n`);
  });

  it("ends with code 2 for wrong words, and 5 without a datastore", async () => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [["get", "gadgets"], /^margay: There is no kind "gadgets"; want one of /],
      [["get"], /^margay: Want a kind, or -f FILE/],
      [["get", "pools", "-o", "xml"], /'xml' is invalid/],
      [["get", "pool", "A\n{"], /^margay: There can be no IPPool "A\\n\{": it is no valid name/],
      [["apply"], /^margay: Want -f FILE/],
      [["apply", "-f", "/nowhere"], /^margay: Cannot read "\/nowhere": ENOENT/],
      [["delete", "pool"], /^margay: Want names/],
      [["patch", "pool", "a", "-p", "{"], /^margay: The patch is neither JSON nor YAML/],
      [["label", "pool", "a", "b"], /^margay: "b" is no label/],
    ];
    for (const [args, message] of wrong) {
      const { code, stdout, stderr } = await margay(args);
      assert.equal(code, 2, args.join(" "));
      assert.equal(stdout, "");
      assert.match(stderr, message);
    }
    const { code, stderr } = await execute(MARGAY, [
      "get",
      "pools",
      "--socket",
      join(directory, "none.sock"),
    ]);
    assert.equal(code, 5);
    assert.match(stderr, /^margay: Cannot use datastore at ".*none\.sock": nobody listens there\n$/);
  });
});
