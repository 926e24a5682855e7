// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { renderBirdConfig } from "../bird/config/config.ts";
import type { WantedBird } from "../desired/wanted.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { LONELY_BIRD, ROUTER } from "./bird-fixtures.ts";
import { type BirdSecrets, createBirdSecrets } from "./bird-secrets.ts";

const WANTED: WantedBird = {
  ...LONELY_BIRD,
  peers: [{ name: "host2", address: parseIpv4("192.168.0.102"), asNumber: 64512 }],
  meshPassword: { name: "bgp", key: "mesh" },
  sessions: [{ ...ROUTER, password: { name: "bgp", key: "tor" } }],
};

interface Trial extends Disposable {
  readonly secrets: BirdSecrets;
  write(key: string, text: string, mode?: number): void;
  remove(key: string): void;
  /** Has BIRD run with what is wanted; gives the passwords that it is given, of the mesh and of the router. */
  run(wanted?: WantedBird): Promise<readonly [mesh: string | undefined, router: string | undefined]>;
}

function createTrial(): Trial {
  const root = mkdtempSync(join(tmpdir(), "margay-secrets-"));
  let config: string | undefined;
  const secrets = createBirdSecrets(join(root, "secrets"), {
    running: () => Promise.resolve(config),
    onChange: () => undefined,
  });
  const fileOf = (key: string): string => join(root, "secrets", "bgp", key);
  return {
    secrets,
    write(key, text, mode = 0o600) {
      mkdirSync(join(root, "secrets", "bgp"), { recursive: true });
      writeFileSync(fileOf(key), text, { mode });
    },
    remove(key) {
      rmSync(fileOf(key));
    },
    async run(wanted = WANTED) {
      const resolved = await secrets.resolve(wanted);
      config = renderBirdConfig({
        ...wanted,
        ...resolved,
        programKernel: true,
        nodeName: "host1",
        routerId: wanted.nodeAddress,
        logFile: "/run/bird.log",
      });
      const [session] = resolved.sessions;
      return [
        resolved.peers.length === 0 ? "left out" : resolved.meshPassword,
        session === undefined ? "left out" : session.password,
      ];
    },
    [Symbol.dispose]() {
      secrets[Symbol.dispose]();
      rmSync(root, { recursive: true });
    },
  };
}

describe("the passwords of BGP sessions", () => {
  it("are what is in their files, without the end of the line", async () => {
    using trial = createTrial();
    trial.write("mesh", "let me in\n");
    trial.write("tor", "it's {me}; #1");
    assert.deepEqual(await trial.run(), ["let me in", "it's {me}; #1"]);
    assert.deepEqual(trial.secrets.troubles, []);
  });

  it("that were never there leave their sessions out, which is told", async () => {
    using trial = createTrial();
    trial.write("mesh", "let me in\n", 0o604);
    assert.deepEqual(await trial.run(), ["left out", "left out"]);
    const [mesh, router] = trial.secrets.troubles;
    assert.match(
      mesh ?? "",
      /^bgp: the node-to-node mesh: no password: .*others may access it .*; it is left out$/,
    );
    assert.match(router ?? "", /^bgp: BGPPeer "tor": no password: .*ENOENT.*; it is left out$/);
  });

  it("that cannot be read any more go on as BIRD has them, which is told; the next good ones take their place", async () => {
    using trial = createTrial();
    trial.write("mesh", "one");
    trial.write("tor", "two");
    await trial.run();
    trial.remove("mesh");
    trial.write("tor", 'no "quotation marks"');
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await trial.run(), ["one", "two"]);
      assert.match(trial.secrets.troubles[0] ?? "", /the node-to-node mesh: .*; it goes on as it is$/);
      assert.match(trial.secrets.troubles[1] ?? "", /BGPPeer "tor": .*; it goes on as it is$/);
      assert.doesNotMatch(String(trial.secrets.troubles), /quotation marks"/);
    }
    trial.write("mesh", "three");
    trial.write("tor", "four");
    assert.deepEqual(await trial.run(), ["three", "four"]);
    assert.deepEqual(trial.secrets.troubles, []);
  });

  it("that sessions are to have from now on, and that are not there, leave them as they are without", async () => {
    using trial = createTrial();
    const open = { ...WANTED, meshPassword: undefined, sessions: [ROUTER] };
    assert.deepEqual(await trial.run({ ...open, sessions: [{ ...ROUTER, password: undefined }] }), [
      undefined,
      undefined,
    ]);
    assert.deepEqual(await trial.run(), [undefined, undefined]);
    assert.equal(trial.secrets.troubles.length, 2);
  });
});
