// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Bird } from "../bird/bird.ts";
import type { BirdInput, BirdSession } from "../bird/config/config.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { systemProcesses } from "../system/process.ts";
import { configureBird } from "./bird-configuration.ts";
import { LONELY_BIRD, ROUTER } from "./bird-fixtures.ts";

const GOOD: BirdSession = { ...ROUTER, password: undefined };
/** What no resource can say, so that BIRD has something to refuse: a client of a reflector in another autonomous system. */
const BAD: BirdSession = {
  ...GOOD,
  name: "odd",
  address: parseIpv4("192.168.0.2"),
  clusterId: parseIpv4("244.0.0.1"),
};
const TWIN: BirdSession = { ...GOOD, name: "twin", address: LONELY_BIRD.nodeAddress };

function inputOf(...sessions: readonly BirdSession[]): BirdInput {
  return {
    ...LONELY_BIRD,
    meshPassword: undefined,
    sessions,
    programKernel: true,
    nodeName: "host1",
    routerId: LONELY_BIRD.nodeAddress,
    logFile: "/run/margay/bird.log",
  };
}

/** What the real BIRD says to the input, and which sessions it runs with in the end. */
async function configured(input: BirdInput): Promise<{ refused: readonly string[]; text: string }> {
  const directory = mkdtempSync(join(tmpdir(), "margay-refusal-"));
  const file = join(directory, "bird.conf");
  let running = "";
  const check = async (text: string): Promise<string | undefined> => {
    writeFileSync(file, text);
    const { code, stderr } = await systemProcesses.run("bird", ["-p", "-c", file]);
    return code === 0 ? undefined : stderr.trim();
  };
  const bird: Pick<Bird, "configure" | "check"> = {
    check,
    async configure(text) {
      const message = await check(text);
      if (message !== undefined) return { kind: "refused", message };
      running = text;
      return { kind: "reconfigured" };
    },
  };
  try {
    const refused = await configureBird(bird, input, new AbortController().signal);
    return { refused, text: running };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe("what BIRD refuses", { timeout: 30_000 }, () => {
  it("is nothing, as a rule", async () => {
    const { refused, text } = await configured(inputOf(GOOD));
    assert.deepEqual(refused, []);
    assert.match(text, /protocol bgp peer_192_168_0_1 /);
  });

  it("costs its own session alone, and is told with BIRD's complaint", async () => {
    const { refused, text } = await configured(inputOf(BAD, GOOD, TWIN));
    const [first = "", second = "", ...others] = refused;
    assert.match(
      first,
      /^bgp: BIRD refuses BGPPeer "odd" \(192\.168\.0\.2\), which is left out: .*bird\.conf:\d+.*RR client/,
    );
    assert.match(
      second,
      /BGPPeer "twin" .*: Cannot peer with "twin": its address "192\.168\.0\.101" is another node's/,
    );
    assert.deepEqual(others, []);
    assert.match(text, /peer_192_168_0_1 /);
    assert.doesNotMatch(text, /peer_192_168_0_2 /);
  });

  it("is thrown where it lies with no session", async () => {
    const input = { ...inputOf(GOOD), ignoredInterfaces: ['"'] };
    await assert.rejects(configured(input), /^Error: BIRD refuses its configuration: .*Cannot write/);
    const filter = { name: "twice", spec: { importV4: [], exportV4: [], importV6: [], exportV6: [] } };
    const twice = { ...inputOf(GOOD), filters: [filter, filter] };
    await assert.rejects(configured(twice), /^Error: BIRD refuses its configuration: .*bird\.conf/);
  });
});
