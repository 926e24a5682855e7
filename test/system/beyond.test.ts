// SPDX-License-Identifier: Apache-2.0
// A cluster whose containers reach what is beyond it, in the lab; and what of an agent they reach.
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, describe, it } from "node:test";
import { DATAGRAMS, PORT } from "./guard-harness.ts";
import { type Lab, MARGAY, createLab, eventually, succeed } from "./harness.ts";
import { PING_PATIENCE_S } from "./patience.ts";
import { failedPairs } from "./tunnel-harness.ts";

const TOPOLOGY = fileURLToPath(new URL("../../src/lab/topologies/beyond.yaml", import.meta.url));
const SERVER = "203.0.113.10";
const POOL = "default-ipv4-ippool";

describe("containers beyond which there is a router that does not know them", () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({ topology: TOPOLOGY });
  });
  after(async () => {
    await lab[Symbol.asyncDispose]();
  });

  const ping = (from: string): Promise<string> =>
    lab.exec(from, "ping", "-c", "1", "-W", PING_PATIENCE_S, SERVER);

  async function setNatOutgoing(natOutgoing: boolean): Promise<void> {
    const patch = JSON.stringify({ spec: { natOutgoing } });
    await succeed(MARGAY, ["patch", "ippool", POOL, "-p", patch, "--socket", lab.agentSocket("host1")]);
    for (const host of ["host1", "host2"])
      await eventually(
        async () => (await lab.exec(host, "nft", "list", "tables")).includes("margay-nat") === natOutgoing,
        `natOutgoing ${natOutgoing} on ${host}`,
      );
  }

  it("reach it, and each other as before", async () => {
    for (const container of ["a", "b", "c"]) assert.match(await ping(container), / 0% packet loss/);
    // Which fails where a receiver sees another address than the sender's.
    assert.deepEqual(await failedPairs(lab), []);
  });

  it("are seen with their host's address there", async () => {
    const receiver = lab.start("server", process.execPath, DATAGRAMS, "senders", String(PORT));
    try {
      let seen = "";
      receiver.stdout?.setEncoding("utf8").on("data", (text: string) => (seen += text));
      await eventually(() => Promise.resolve(seen.includes("ready")), "a receiver");
      for (const [container, host] of [
        ["a", "192.168.0.101"],
        ["c", "192.168.0.102"],
      ] as const) {
        const from = await lab.address(container);
        const hex = Buffer.from(container).toString("hex");
        await lab.exec(container, process.execPath, DATAGRAMS, "send", from, SERVER, String(PORT), hex);
        const line = new RegExp(`^${host} \\d+ ${container}$`, "m");
        await eventually(() => Promise.resolve(line.test(seen)), `${container} by way of ${host}`);
      }
    } finally {
      receiver.kill();
      await once(receiver, "close");
    }
  });

  it("do not reach it without natOutgoing, and do again with it", async () => {
    await setNatOutgoing(false);
    await assert.rejects(ping("a"), / 100% packet loss/);
    assert.deepEqual(await failedPairs(lab), []);
    await setNatOutgoing(true);
    assert.match(await ping("a"), / 0% packet loss/);
  });

  it("find nothing of an agent on the network: no port, and no socket without a path", async () => {
    for (const name of ["host1", "host2"]) {
      const { agent } = await lab.host(name);
      assert.ok(agent);
      const ports = await lab.exec(name, "ss", "-H", "-n", "-p", "-l", "-t", "-u", "-w", "-S");
      assert.ok(!ports.includes(`pid=${agent.pid},`), ports);
      const sockets = await lab.exec(name, "ss", "-H", "-n", "-l", "-x");
      assert.match(sockets, /agent\.sock/);
      assert.equal(statSync(lab.agentSocket(name)).mode & 0o777, 0o600);
      assert.doesNotMatch(sockets, / @\S/);
    }
  });
});
