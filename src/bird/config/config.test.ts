// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseCidr } from "../../net/cidr.ts";
import { parseIfName } from "../../net/if-name.ts";
import { ipv4FromNumber, ipv4ToNumber, parseIpv4 } from "../../net/ipv4.ts";
import { systemProcesses } from "../../system/process.ts";
import { ALONE, SESSION_CASES } from "./session-cases.ts";
import { type BirdInput, type BirdPeer, meshProtocolName, renderBirdConfig } from "./config.ts";

function peer(number: number, asNumber = 64512): BirdPeer {
  const address = ipv4FromNumber(ipv4ToNumber(parseIpv4("192.168.0.0")) + number);
  return { name: `host${number - 100}`, address, asNumber };
}

const TWO_HOSTS: BirdInput = { ...ALONE, peers: [peer(102)] };

/** Every case is a file of golden/; run the tests with UPDATE_GOLDEN=1 to write them anew. */
const CASES: Readonly<Record<string, BirdInput>> = {
  alone: ALONE,
  "nothing-yet": { ...ALONE, originated: [], poolCidrs: [] },
  "two-hosts": TWO_HOSTS,
  "twenty-peers": {
    ...ALONE,
    peers: Array.from({ length: 20 }, (_, index) => peer(91 + index + Number(index > 9))),
  },
  withdrawing: { ...TWO_HOSTS, programKernel: false },
  borrowed: {
    ...TWO_HOSTS,
    originated: ["10.1.102.9/32", "10.1.101.0/26", "10.1.9.0/26", "fd00::/122"].map(parseCidr),
    poolCidrs: ["10.1.0.0/16", "172.16.8.0/24", "fd00::/48"].map(parseCidr),
  },
  tunnelled: {
    ...ALONE,
    peers: [peer(102), peer(103), peer(104)],
    poolCidrs: ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"].map(parseCidr),
    tunnelled: [
      {
        cidr: parseCidr("10.2.0.0/16"),
        ifName: parseIfName("tunl0"),
        through: [parseIpv4("192.168.0.103"), parseIpv4("192.168.0.102")],
        without: [parseIpv4("192.168.0.104")],
      },
      { cidr: parseCidr("10.3.0.0/16"), ifName: parseIfName("tunl0"), through: [], without: [] },
    ],
  },
  "some-to-the-kernel": {
    ...TWO_HOSTS,
    poolCidrs: ["10.1.0.0/16", "10.2.0.0/16"].map(parseCidr),
    kernelCidrs: [parseCidr("10.2.0.0/16")],
  },
  "none-to-the-kernel": { ...TWO_HOSTS, kernelCidrs: [] },
  ...SESSION_CASES,
  "own-as-per-node": {
    ...ALONE,
    asNumber: 4200000101,
    listenPort: 1179,
    peers: [peer(102, 4200000102), peer(9, 65009)],
  },
};

describe("the configuration for BIRD", { timeout: 60_000 }, () => {
  for (const [name, input] of Object.entries(CASES)) {
    const file = join(import.meta.dirname, "golden", `${name}.conf`);

    it(`is as in golden/${name}.conf`, () => {
      const text = renderBirdConfig(input);
      if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(file, text);
      assert.equal(text, readFileSync(file, "utf8"));
    });

    it(`of golden/${name}.conf is accepted by BIRD`, async () => {
      assert.deepEqual(await systemProcesses.run("bird", ["-p", "-c", file]), {
        code: 0,
        stdout: "",
        stderr: "",
      });
    });
  }

  it("does not depend on the order of anything", () => {
    for (const input of Object.values(CASES)) {
      const backwards = {
        ...input,
        peers: input.peers.toReversed(),
        sessions: (input.sessions ?? []).toReversed(),
        filters: (input.filters ?? []).toReversed(),
        prefixAdvertisements: (input.prefixAdvertisements ?? []).toReversed(),
        originated: [...input.originated.toReversed(), ...input.originated],
        poolCidrs: input.poolCidrs.toReversed(),
      };
      assert.equal(renderBirdConfig(backwards), renderBirdConfig(input));
    }
  });

  it("lets the side with the larger address dial, by number and not by text", () => {
    const dialled = (own: string, other: string): boolean =>
      renderBirdConfig({
        ...ALONE,
        nodeAddress: parseIpv4(own),
        peers: [{ ...peer(102), address: parseIpv4(other) }],
      }).includes("passive;");
    assert.equal(dialled("192.168.0.9", "192.168.0.10"), true);
    assert.equal(dialled("192.168.0.10", "192.168.0.9"), false);
    assert.equal(dialled("200.0.0.1", "201.0.0.1"), true);
  });

  it("names a peer's protocol by its address", () => {
    assert.equal(meshProtocolName(parseIpv4("192.168.0.102")), "mesh_192_168_0_102");
  });

  it("refuses text that could end a string", () => {
    for (const bad of ['a"b', "a\nb", "a;b", "a\\b", "a{b", "a#b", "", "é"]) {
      assert.throws(() => renderBirdConfig({ ...TWO_HOSTS, nodeName: bad }), SyntaxError, bad);
      assert.throws(() => renderBirdConfig({ ...TWO_HOSTS, logFile: bad }), SyntaxError, bad);
      assert.throws(
        () => renderBirdConfig({ ...ALONE, peers: [{ ...peer(102), name: bad }] }),
        SyntaxError,
        bad,
      );
    }
  });

  it("refuses numbers out of range", () => {
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 32]) {
      assert.throws(() => renderBirdConfig({ ...TWO_HOSTS, asNumber: bad }), RangeError);
      assert.throws(() => renderBirdConfig({ ...ALONE, peers: [peer(102, bad)] }), RangeError);
      assert.throws(() => renderBirdConfig({ ...TWO_HOSTS, listenPort: bad }), RangeError);
      assert.throws(() => renderBirdConfig({ ...TWO_HOSTS, gracefulRestartSeconds: bad }), RangeError);
    }
  });

  it("refuses two nodes with one address", () => {
    assert.throws(() => renderBirdConfig({ ...ALONE, peers: [peer(102), { ...peer(102), name: "twin" }] }), {
      name: "RangeError",
      message: 'Cannot peer with "twin": its address "192.168.0.102" is another node\'s',
    });
    assert.throws(() => renderBirdConfig({ ...ALONE, peers: [peer(101)] }), RangeError);
  });
});
