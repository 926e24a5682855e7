// SPDX-License-Identifier: Apache-2.0
// `margay ipam`, as an operator uses it on a cluster with a leak.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connectStore } from "../../src/datastore/client.ts";
import { resourcePrefix } from "../../src/model/keys.ts";
import { type Lab, MARGAY, type Outcome, createLab, execute } from "./harness.ts";

describe("margay ipam", () => {
  const directory = mkdtempSync(join(tmpdir(), "margay-ipam-"));
  const report = join(directory, "report.json");
  let lab: Lab;
  let [alive, leaked] = ["", ""];
  before(async () => {
    lab = await createLab({ routeSource: "datastore" });
    [alive, leaked] = [await lab.address("a"), await lab.address("d")];
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const ipam = (...args: readonly string[]): Promise<Outcome> =>
    execute(MARGAY, ["ipam", ...args, "--socket", lab.agentSocket("host1")]);

  it("shows pools, blocks, and who has an address", async () => {
    const { stdout } = await ipam("show", "--show-blocks");
    assert.match(stdout, /^pool +10\.1\.0\.0\/16 +65536 +4 \(0%\)/m);
    assert.match(stdout, /^block +10\.1\.240\.64\/26 +64 +2 \(3%\) +62 +host1$/m);
    assert.match(
      (await ipam("show", "--ip", alive)).stdout,
      /in use by: WorkloadEndpoint "default\/host1-cni-a-eth0"/,
    );
    assert.match((await ipam("show", "--show-borrowed")).stdout, /no address is borrowed/);
    assert.equal((await ipam("show", "--ip", "10.1.9.9")).code, 3);
    assert.equal((await ipam("show", "--ip", "nonsense")).code, 2);
  });

  it("finds nothing amiss at first", async () => {
    const { code, stdout } = await ipam("check");
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^4 addresses in use, 2 blocks: all is well$/m);
  });

  it("splits a pool in use, once", async () => {
    const args = ["split", "4", "--name", "default-ipv4-ippool"] as const;
    const { code, stdout, stderr } = await ipam(...args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^IPPool "split-default-ipv4-ippool-3" created: 10\.1\.192\.0\/18$/m);
    assert.match((await ipam("check")).stdout, /^4 addresses in use, 2 blocks: all is well$/m);
    assert.match((await ipam(...args)).stdout, /split already, into 4 pools/);
  });

  it("refuses to give back what a container has", async () => {
    const { code, stderr } = await ipam("release", "--ip", alive);
    assert.equal(code, 4);
    assert.match(stderr, /WorkloadEndpoint "default\/host1-cni-a-eth0" has it/);
  });

  it("names a leak in a report, and gives it back by that, once", async () => {
    await using store = connectStore({ socketPath: lab.agentSocket("host1") });
    const { entries } = await store.list(resourcePrefix("WorkloadEndpoint"));
    const record = entries.find(({ value }) => value.includes(`${leaked}/32`)) ?? assert.fail("no record");
    await store.delete(record.key);
    const { code, stdout } = await ipam("check", "-o", report);
    assert.equal(code, 1);
    assert.match(
      stdout,
      new RegExp(`${leaked} is allocated and not in use \\(handle "margay\\.d", node "host2"\\)`),
    );
    assert.match(
      (await ipam("release", "--from-report", report)).stdout,
      new RegExp(`^${leaked} released$`, "m"),
    );
    assert.match(
      (await ipam("release", "--from-report", report)).stdout,
      /is not held as it was seen any more/,
    );
    assert.equal((await ipam("check")).code, 0);
    assert.equal((await ipam("release", "--from-report", record.key)).code, 2);
  });

  it("changes how nodes take addresses, and refuses what cannot be", async () => {
    const refused = await ipam("configure", "--max-blocks-per-host", "3");
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /maxBlocksPerHost: it cannot be set unless strictAffinity is true/);
    assert.equal((await ipam("configure", "--strictaffinity", "true", "--max-blocks-per-host", "3")).code, 0);
    assert.match((await ipam("show", "--show-configuration")).stdout, /^MaxBlocksPerHost +3$/m);
    assert.equal((await ipam("configure")).code, 2);
  });
});
