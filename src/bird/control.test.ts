// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { BirdControl } from "./control.ts";
import { BirdError, type BirdErrorCode } from "./error.ts";
import { type FakeAnswers, type FakeBird, startFakeBird } from "./fake-bird.ts";

interface Fixture extends AsyncDisposable {
  readonly path: string;
  readonly bird: FakeBird;
}

async function createFixture(answers: FakeAnswers = {}): Promise<Fixture> {
  const directory = mkdtempSync(join(tmpdir(), "margay-control-"));
  const path = join(directory, "bird.ctl");
  const bird = await startFakeBird(path, answers);
  return {
    path,
    bird,
    async [Symbol.asyncDispose]() {
      await bird[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

function hasCode(code: BirdErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof BirdError && error.code === code;
}

describe("the control of BIRD", { timeout: 30_000 }, () => {
  it("asks one thing after the other", async () => {
    await using fixture = await createFixture({
      "show status": "0024-Graceful\n0013 Daemon is up and running\n",
    });
    await using control = await BirdControl.connect(fixture.path);
    assert.equal(control.version, "2.0.12");
    assert.deepEqual(await Promise.all([control.sessions(), control.isRecovering(), control.sessions()]), [
      [],
      true,
      [],
    ]);
    assert.deepEqual(fixture.bird.commands, ["show protocols all", "show status", "show protocols all"]);
  });

  it("asks for BFD where BIRD has it, and only there", async () => {
    const session = `1002-peer_1     BGP        ---        up     2026-11-23 06:31:47.511  Established
1006-  BGP state:          Established
     Neighbor address: 192.168.0.1
     Routes:         2 imported, 3 exported, 2 preferred
`;
    const bfd = "1002-bfd1       BFD        ---        up     2026-11-23 06:31:45.849\n1006-\n";
    const row = " 192.168.0.1  eth0  Up  2026-11-25 22:03:35.399    0.100    0.500\n";
    for (const [protocols, states, state, isAsked] of [
      [session, "", undefined, false],
      [bfd + session, `1020-bfd1:\n${row}0000 \n`, "Up", true],
      [bfd + session, "1020-bfd1:\n0000 \n", undefined, true],
      [bfd + session, "9001 There is no BFD protocol running\n", undefined, true],
    ] as const) {
      const answers = { "show protocols all": `${protocols}0000 \n`, "show bfd sessions": states };
      await using fixture = await createFixture(answers);
      await using control = await BirdControl.connect(fixture.path);
      const [found] = await control.sessions();
      assert.equal(found?.bfd, state);
      assert.equal(fixture.bird.commands.includes("show bfd sessions"), isAsked);
    }
  });

  it("passes the log on", async () => {
    await using fixture = await createFixture();
    const heard = Promise.withResolvers<string>();
    await using control = await BirdControl.connect(fixture.path, { onLog: heard.resolve });
    fixture.bird.say("mesh_192_168_0_102: State changed to up");
    assert.equal(await heard.promise, "mesh_192_168_0_102: State changed to up");
    assert.deepEqual(await control.sessions(), []);
  });

  it("tells what became of a configuration", async () => {
    await using fixture = await createFixture({
      'configure "/run/new"': "0002-Reading configuration from /run/new\n0003 Reconfigured\n",
      'configure "/run/bad"': "0002-Reading configuration from /run/bad\n8002 /run/bad:3:1 syntax error\n",
      'configure "/run/late"': "0002-Reading configuration\n0006 Reconfiguration ignored, shutting down\n",
    });
    await using control = await BirdControl.connect(fixture.path);
    assert.deepEqual(await control.configure("/run/new"), { kind: "accepted" });
    assert.deepEqual(await control.configure("/run/bad"), {
      kind: "refused",
      message: "/run/bad:3:1 syntax error",
    });
    await assert.rejects(control.configure("/run/late"), hasCode("refused"));
    await assert.rejects(control.configure('/run/"; down'), SyntaxError);
  });

  it("has ended when BIRD has", async () => {
    for (const end of ["shutDown", "leave"] as const) {
      await using fixture = await createFixture();
      await using control = await BirdControl.connect(fixture.path);
      await control[end]();
      await assert.rejects(control.sessions(), hasCode("unavailable"));
    }
  });

  it("tells at once when BIRD dies, also whoever waits for an answer", async () => {
    await using fixture = await createFixture({ "show status": undefined });
    const closed = Promise.withResolvers<BirdError>();
    await using control = await BirdControl.connect(fixture.path, { onClose: closed.resolve });
    const waiting = assert.rejects(control.isRecovering(), hasCode("unavailable"));
    await fixture.bird.heard("show status");
    await fixture.bird.die();
    await waiting;
    assert.equal((await closed.promise).code, "unavailable");
  });

  it("does not tell of an end that it made itself", async () => {
    await using fixture = await createFixture();
    let isTold = false;
    const control = await BirdControl.connect(fixture.path, { onClose: () => (isTold = true) });
    await control[Symbol.asyncDispose]();
    assert.equal(isTold, false);
    await assert.rejects(control.sessions(), hasCode("unavailable"));
  });

  it("gives a wait up at the abort, and stays in step with the answers", async () => {
    await using fixture = await createFixture({
      "show protocols all": undefined,
      "show status": "0024-Graceful restart recovery in progress\n0013 Daemon is up and running\n",
    });
    await using control = await BirdControl.connect(fixture.path);
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = control.sessions({ signal: controller.signal });
    await fixture.bird.heard("show protocols all");
    controller.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    const next = control.isRecovering();
    fixture.bird.send("2002-Name\n0000 \n");
    assert.equal(await next, true);
  });

  it("throws where nobody listens, or someone else", async () => {
    await using fixture = await createFixture();
    await assert.rejects(BirdControl.connect(`${fixture.path}.none`), hasCode("unavailable"));
    const closed = Promise.withResolvers<BirdError>();
    await using control = await BirdControl.connect(fixture.path, { onClose: closed.resolve });
    fixture.bird.send("HTTP/1.1 400 Bad Request\n");
    assert.equal((await closed.promise).code, "unreadable");
    await assert.rejects(control.sessions(), hasCode("unreadable"));
  });
});
