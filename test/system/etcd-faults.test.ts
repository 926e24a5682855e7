// SPDX-License-Identifier: Apache-2.0
// What a client of etcd makes of members that die, freeze and come back, and of credentials that are wrong.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { EtcdConnection, type EtcdOptions } from "../../src/datastore/etcd/connection.ts";
import { openEtcdStore } from "../../src/datastore/etcd/etcd-store.ts";
import { METHODS } from "../../src/datastore/etcd/methods.ts";
import { type FollowEvent, follow } from "../../src/datastore/follow.ts";
import { DatastoreError, type Store } from "../../src/datastore/store.ts";
import { type Certificate, createAuthority, issueCertificate } from "./etcd-certificates.ts";
import { type EtcdServer, anyNetwork, startEtcd } from "./etcd-server.ts";
import { eventually } from "./harness.ts";

/** What a stream of changes has come to, and how often it took something away. */
class Follower implements AsyncDisposable {
  readonly values = new Map<string, string>();
  deletes = 0;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(store: Store, prefix: string) {
    this.#done = this.#run(follow(store, prefix, { signal: this.#stop.signal }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** Waits until it has heard that the key has the value. */
  async hears(key: string, value: string): Promise<void> {
    await eventually(() => Promise.resolve(this.values.get(key) === value), `${key} being ${value}`);
  }

  async #run(events: AsyncIterable<FollowEvent>): Promise<void> {
    for await (const event of events) {
      if (event.kind === "snapshot") for (const { key, value } of event.entries) this.values.set(key, value);
      else for (const change of event.changes) this.#apply(change);
    }
  }

  #apply(change: Extract<FollowEvent, { kind: "changes" }>["changes"][number]): void {
    if (change.kind === "put") this.values.set(change.entry.key, change.entry.value);
    else {
      this.values.delete(change.key);
      this.deletes++;
    }
  }
}

/** Does it until it is done: while members come and go, and also while one that was to lead is kept from running, there may be no majority. */
async function atLast<T>(act: () => Promise<T>, what: string): Promise<T> {
  let done: { readonly result: T } | undefined;
  const isDone = async (): Promise<boolean> => {
    done = await act().then(
      (result) => ({ result }),
      () => undefined,
    );
    return done !== undefined;
  };
  await eventually(isDone, what);
  return (done ?? assert.fail(what)).result;
}

async function putAtLast(store: Store, key: string, value: string): Promise<void> {
  await atLast(() => store.put(key, value), `writing ${key}`);
}

describe("a store in an etcd of three members", () => {
  let server: EtcdServer;
  before(async () => {
    server = await startEtcd({ members: 3 });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
  });

  it("goes on with another member when one dies", async () => {
    await using store = openEtcdStore({ endpoints: server.endpoints });
    await using follower = new Follower(store, "/die/");
    await putAtLast(store, "/die/a", "1");
    await follower.hears("/die/a", "1");
    await server.kill(0);
    // The leader may have died: until another is chosen, nobody can write.
    await putAtLast(store, "/die/a", "2");
    assert.equal((await atLast(() => store.get("/die/a"), "reading"))?.value, "2");
    await follower.hears("/die/a", "2");
    await server.start(0);
    assert.equal(follower.deletes, 0);
  });

  it("leaves a member that is frozen", async () => {
    await using store = openEtcdStore({ endpoints: server.endpoints });
    await using follower = new Follower(store, "/freeze/");
    await putAtLast(store, "/freeze/a", "1");
    await follower.hears("/freeze/a", "1");
    server.pause(0);
    try {
      await putAtLast(store, "/freeze/a", "2");
      // Its connection lives, as far as one can see, until its pings are not answered.
      await follower.hears("/freeze/a", "2");
    } finally {
      server.resume(0);
    }
    assert.equal(follower.deletes, 0);
  });

  it("says so where there is no majority, and goes on where it stopped", async () => {
    await using store = openEtcdStore({ endpoints: server.endpoints });
    await using follower = new Follower(store, "/minority/");
    await putAtLast(store, "/minority/a", "1");
    await putAtLast(store, "/minority/b", "1");
    await follower.hears("/minority/b", "1");
    await server.kill(1);
    await server.kill(2);
    await assert.rejects(store.put("/minority/a", "2"), { name: "DatastoreError", code: "unavailable" });
    await assert.rejects(store.get("/minority/a"), { name: "DatastoreError", code: "unavailable" });
    await Promise.all([server.start(1), server.start(2)]);
    await putAtLast(store, "/minority/a", "3");
    await follower.hears("/minority/a", "3");
    assert.deepEqual([follower.deletes, follower.values.size], [0, 2]);
  });

  it("tells the difference after a compaction that it missed", async () => {
    const { endpoints } = server;
    await using other = openEtcdStore({ endpoints });
    await putAtLast(other, "/compact/stays", "1");
    await putAtLast(other, "/compact/goes", "1");
    await using etcd = new EtcdConnection({ endpoints });
    const revision = async (): Promise<number> =>
      (await etcd.call(METHODS.range, { key: Buffer.from("/") }, { action: "ask" })).header.revision;
    // It knows one member only, so it is cut off while that is away.
    await using store = openEtcdStore({ endpoints: endpoints.slice(2) });
    await using follower = new Follower(store, "/compact/");
    await follower.hears("/compact/goes", "1");
    await server.kill(2);
    await atLast(() => other.delete("/compact/goes"), "deleting");
    await putAtLast(other, "/compact/comes", "1");
    const compact = async (): Promise<void> => {
      // What is compacted already is refused, and nobody may have heard that it is.
      await other.put("/elsewhere", "1");
      await etcd.call(METHODS.compact, { revision: await revision() }, { action: "compact" });
    };
    await atLast(compact, "compacting");
    await server.start(2);
    await follower.hears("/compact/comes", "1");
    await eventually(() => Promise.resolve(!follower.values.has("/compact/goes")), "the deletion");
    assert.equal(follower.deletes, 1);
    assert.equal(follower.values.get("/compact/stays"), "1");
  });
});

it("a store finds out that etcd was replaced by another one with more history", async () => {
  const network = anyNetwork();
  const first = await startEtcd({ network });
  await using store = openEtcdStore({ endpoints: first.endpoints });
  await store.put("/other/old", "1");
  await store.put("/other/both", "1");
  await using follower = new Follower(store, "/other/");
  await follower.hears("/other/both", "1");
  await first[Symbol.asyncDispose]();
  await using second = await startEtcd({ network, args: ["--initial-cluster-token", "another"] });
  await using other = openEtcdStore({ endpoints: second.endpoints });
  for (let count = 0; count < 20; count++) await other.put("/elsewhere", String(count));
  await other.put("/other/both", "2");
  await follower.hears("/other/both", "2");
  await eventually(() => Promise.resolve(!follower.values.has("/other/old")), "the end of what is not there");
});

/** What a person would read of it. */
async function refusal(options: EtcdOptions): Promise<string> {
  await using store = openEtcdStore(options);
  const error = await store.get("/secure/a").then(
    () => assert.fail("it was let in"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DatastoreError, String(error));
  assert.equal(error.code, "unavailable");
  return error.message;
}

describe("a store in an etcd with TLS", () => {
  const directory = mkdtempSync(join(tmpdir(), "margay-tls-"));
  const network = anyNetwork();
  let server: EtcdServer;
  let authority: Certificate;
  let client: Certificate;
  let stranger: Certificate;
  before(async () => {
    authority = await createAuthority(directory, "authority");
    const other = await createAuthority(directory, "other");
    const issue = (name: string, by: Certificate): Promise<Certificate> =>
      issueCertificate(directory, { name, addresses: [`${network}.1`], authority: by });
    const own = await issue("server", authority);
    client = await issue("client", authority);
    stranger = await issue("stranger", other);
    const args = ["--cert-file", own.certFile, "--key-file", own.keyFile];
    server = await startEtcd({
      scheme: "https",
      network,
      args: [...args, "--client-cert-auth", "--trusted-ca-file", authority.certFile],
    });
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  const withCa = (): EtcdOptions => ({ endpoints: server.endpoints, caFile: authority.certFile });

  it("is let in by its certificate", async () => {
    await using store = openEtcdStore({ ...withCa(), ...client });
    await store.put("/secure/a", "1");
    assert.equal((await store.get("/secure/a"))?.value, "1");
  });

  it("does not talk to a server that it does not trust", async () => {
    assert.match(await refusal({ endpoints: server.endpoints, ...client }), /certificate/);
    assert.match(
      await refusal({ endpoints: server.endpoints, caFile: stranger.certFile, ...client }),
      /certificate/,
    );
  });

  it("does not talk to a server whose certificate is for another address", async () => {
    const args = ["--cert-file", client.certFile, "--key-file", client.keyFile];
    await using elsewhere = await startEtcd({ scheme: "https", args });
    const said = await refusal({ endpoints: elsewhere.endpoints, caFile: authority.certFile });
    assert.match(said, /does not match certificate|not in the cert/);
  });

  it("says that it is not let in without a certificate, or by a stranger's", async () => {
    assert.match(await refusal(withCa()), /certificate|alert/);
    assert.match(await refusal({ ...withCa(), ...stranger }), /certificate|alert/);
  });

  it("names a file that is not there, or that others may read", async () => {
    assert.match(await refusal({ ...withCa(), ...client, certFile: "/nowhere.pem" }), /nowhere\.pem/);
    chmodSync(client.keyFile, 0o644);
    assert.match(await refusal({ ...withCa(), ...client }), /client\.key": others may access it/);
    chmodSync(client.keyFile, 0o600);
  });

  it("takes up certificates that were put right, with the same handle", async () => {
    const certFile = join(directory, "late.pem");
    await using store = openEtcdStore({ ...withCa(), ...client, certFile });
    await assert.rejects(store.get("/secure/a"));
    writeFileSync(
      certFile,
      await import("node:fs").then(({ readFileSync }) => readFileSync(client.certFile)),
    );
    assert.equal((await store.get("/secure/a"))?.value, "1");
  });
});

describe("a store in an etcd with users", () => {
  const directory = mkdtempSync(join(tmpdir(), "margay-users-"));
  const passwordFile = join(directory, "password");
  let server: EtcdServer;
  before(async () => {
    server = await startEtcd();
    await post("user/add", { name: "root", password: "all" });
    await post("user/grant", { user: "root", role: "root" });
    await post("role/add", { name: "margay" });
    for (const prefix of ["/calico/", "/margay/"])
      await post("role/grant", { name: "margay", perm: permission(prefix) });
    await post("user/add", { name: "margay", password: "let me in" });
    await post("user/grant", { user: "margay", role: "margay" });
    await post("auth/enable", {});
    setPassword("let me in\n");
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  const setPassword = (text: string): void => {
    writeFileSync(passwordFile, text, { mode: 0o600 });
  };
  const options = (): EtcdOptions => ({ endpoints: server.endpoints, user: "margay", passwordFile });

  /** etcd's JSON gateway: what `etcdctl` would say. */
  async function post(path: string, body: object): Promise<void> {
    const [endpoint] = server.endpoints;
    const prefix = path === "auth/enable" ? "" : "auth/";
    const response = await fetch(`${endpoint ?? ""}/v3/${prefix}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
    });
    assert.equal(response.status, 200, await response.text());
  }

  function permission(prefix: string): object {
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const end = prefix.replace(/\/$/, "0");
    return { permType: "READWRITE", key: base64(prefix), range_end: base64(end) };
  }

  it("is let in by its password, and may do what its role may", async () => {
    await using store = openEtcdStore(options());
    await using follower = new Follower(store, "/calico/");
    await store.put("/calico/a", "1");
    await follower.hears("/calico/a", "1");
    assert.equal((await store.list("/calico/")).entries.length, 1);
    await assert.rejects(store.put("/elsewhere", "1"), /permission denied/);
  });

  it("takes a new token once the old one is worth nothing any more", async () => {
    await using store = openEtcdStore(options());
    await store.put("/calico/a", "1");
    // A member that starts again has forgotten its tokens.
    await server.kill(0);
    await server.start(0);
    await putAtLast(store, "/calico/a", "2");
    assert.equal((await store.get("/calico/a"))?.value, "2");
  });

  it("says that its password is wrong, or that it gave none, and keeps it to itself", async () => {
    setPassword("wr0ng\n");
    const said = await refusal(options());
    assert.match(said, /authentication failed/);
    assert.doesNotMatch(said, /wr0ng/);
    assert.match(await refusal({ endpoints: server.endpoints }), /user name is empty/);
    setPassword("let me in\n");
  });
});
