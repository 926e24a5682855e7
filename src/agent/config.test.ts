// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ResourceError } from "../model/issue.ts";
import { birdDirectory, readAgentConfig } from "./config.ts";

describe("an agent's configuration", () => {
  const directory = mkdtempSync(join(tmpdir(), "margay-config-"));
  const path = join(directory, "agent.yaml");
  after(() => {
    rmSync(directory, { recursive: true });
  });
  const read = (text: string, to = path): ReturnType<typeof readAgentConfig> => {
    writeFileSync(to, text);
    return readAgentConfig(to);
  };
  const node = "nodeName: host1\naddress: 192.168.0.101/24\n";
  /** 107 bytes are what a socket's address has room for. */
  const socketOf = (bytes: number): string => `/${"s".repeat(bytes - 1)}`;

  it("finds the address by itself where it is not told", async () => {
    const { address } = await read("nodeName: host1\n");
    assert.deepEqual(address, { kind: "first-found" });
  });

  it("may be JSON, in a file that says so", async () => {
    const json = join(directory, "agent.json");
    assert.deepEqual(await read('{"nodeName":"host1"}', json), await read("nodeName: host1\n"));
    await assert.rejects(read("nodeName: host1\n", json), /agent\.json/);
  });

  it("needs a name, and has defaults for everything else", async () => {
    const config = await read(node);
    assert.deepEqual(config, {
      nodeName: "host1",
      address: { kind: "fixed", address: "192.168.0.101/24" },
      ipv6Address: { kind: "none" },
      stateDirectory: "/run/margay",
      secretsDirectory: "/etc/margay/secrets",
      garbageCollection: { graceSeconds: 900, idleBlockSeconds: 60 },
      routeReadiness: "local",
      routeReadinessTimeoutMs: 5000,
      socket: "/run/margay/agent.sock",
      datastore: { kind: "embedded", path: "/var/lib/margay/margay.db" },
      ipipDriver: "auto",
      log: { level: "info" },
    });
    assert.equal(birdDirectory(config), "/run/margay/bird");
  });

  it("may be JSON, and takes what it says", async () => {
    const config = {
      nodeName: "host2",
      address: "192.168.0.102/24",
      ipv6Address: "fd00:1::102/64",
      stateDirectory: "/tmp/state",
      secretsDirectory: "/etc/margay/secrets",
      garbageCollection: { graceSeconds: 900, idleBlockSeconds: 60 },
      routeReadiness: "local",
      routeReadinessTimeoutMs: 5000,
      socket: socketOf(107),
      datastore: { kind: "socket", path: "/tmp/store.sock" },
      ipipDriver: "bpf",
      api: { port: 9100, tokenFile: "/etc/margay/api-token" },
      log: { level: "debug" },
    };
    const address = { kind: "fixed", address: config.address };
    const ipv6Address = { kind: "fixed", address: config.ipv6Address };
    assert.deepEqual(await read(JSON.stringify(config)), { ...config, address, ipv6Address });
  });

  const faults: readonly (readonly [what: string, text: string, code: string, at: string])[] = [
    ["an unknown field", `${node}frob: 1\n`, "unknown-field", "frob"],
    ["an unknown field inside", `${node}log: { colour: red }\n`, "unknown-field", "log.colour"],
    ["no name", "address: 192.168.0.101/24\n", "missing-field", "nodeName"],
    ["a number for an address", "nodeName: host1\naddress: 1\n", "wrong-type", "address"],
    ["an unknown method", "nodeName: host1\naddress: second-found\n", "invalid-value", "address"],
    ["a broken expression", "nodeName: host1\naddress: interface=eth0,eth(\n", "invalid-value", "address"],
    ["a name to reach", "nodeName: host1\naddress: can-reach=example.com\n", "invalid-value", "address"],
    [
      "a name that no node can have",
      "nodeName: Host_1\naddress: 192.168.0.101/24\n",
      "invalid-value",
      "nodeName",
    ],
    ["an address without a length", "nodeName: host1\naddress: 192.168.0.101\n", "invalid-value", "address"],
    ["an address of IPv6", "nodeName: host1\naddress: fd00::1/64\n", "invalid-value", "address"],
    ["an address of IPv4 for IPv6", `${node}ipv6Address: 192.168.0.101/24\n`, "invalid-value", "ipv6Address"],
    ["an octet too large", "nodeName: host1\naddress: 192.168.0.256/24\n", "invalid-value", "address"],
    ["a relative path", `${node}stateDirectory: run\n`, "invalid-value", "stateDirectory"],
    ["an over-long socket", `${node}socket: ${socketOf(108)}\n`, "invalid-value", "socket"],
    ["an API without a token", `${node}api: { port: 9100 }\n`, "missing-field", "api.tokenFile"],
    ["a port that is none", `${node}api: { port: 0, tokenFile: /t }\n`, "invalid-value", "api.port"],
    [
      "an API's address",
      `${node}api: { host: 0.0.0.0, port: 1, tokenFile: /t }\n`,
      "unknown-field",
      "api.host",
    ],
    ["an unknown level", `${node}log: { level: loud }\n`, "invalid-value", "log.level"],
    ["a number for a name", "nodeName: 1\naddress: 192.168.0.101/24\n", "wrong-type", "nodeName"],
  ];
  for (const [what, text, code, at] of faults) {
    it(`is refused with ${what}`, async () => {
      await assert.rejects(read(text), (error) => {
        assert.ok(error instanceof ResourceError);
        assert.deepEqual(
          error.issues.map((issue) => [issue.code, issue.path]),
          [[code, at]],
          error.message,
        );
        assert.ok(
          error.message.startsWith(`Cannot use agent configuration "${path}": ${at}: `),
          error.message,
        );
        return true;
      });
    });
  }

  it("is refused with every fault at once", async () => {
    await assert.rejects(read("frob: 1\n"), /nodeName: .*; frob: there is no field "frob"$/);
  });

  it("is refused by name where it is no YAML, or not there", async () => {
    await assert.rejects(read("nodeName: [\n"), { name: "ResourceError", message: new RegExp(`"${path}"`) });
    rmSync(path);
    await assert.rejects(readAgentConfig(path), { name: "ResourceError", message: /no such file/ });
  });
});
