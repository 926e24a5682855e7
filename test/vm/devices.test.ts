// SPDX-License-Identifier: Apache-2.0
// The kernel that the other tests here rely on: every device that a node can use is the kernel's own. On a machine
// whose kernel lacks one, run them with "npm run test:vm".
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

interface Namespace extends Disposable {
  /** Runs `ip` in the namespace; gives what it prints. */
  ip(...args: readonly string[]): string;
}

let counter = 0;

function createNamespace(): Namespace {
  const name = `mvm${process.pid}n${counter++}`;
  const run = (...args: readonly string[]): string =>
    execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  run("netns", "add", name);
  return {
    ip: (...args) => run("-netns", name, ...args),
    [Symbol.dispose]() {
      run("netns", "del", name);
    },
  };
}

/** A kind of link, and the least that the kernel wants to be told to make one. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  dummy: [],
  ipip: ["local", "192.0.2.1"],
  vrf: ["table", "100"],
  vxlan: ["id", "4096", "dstport", "4789", "local", "192.0.2.1", "nolearning"],
  wireguard: [],
};

for (const [kind, options] of Object.entries(KINDS)) {
  test(`the kernel has ${kind} devices`, () => {
    using namespace = createNamespace();
    namespace.ip("link", "add", "dev0", "type", kind, ...options);
    namespace.ip("link", "set", "dev0", "up");
    const links: unknown = JSON.parse(namespace.ip("-json", "-details", "link", "show", "dev0"));
    assert.partialDeepStrictEqual(links, [{ ifname: "dev0", linkinfo: { info_kind: kind } }]);
    const [{ flags }] = links as [{ flags: readonly string[] }];
    assert.ok(flags.includes("UP"), `dev0 has the flags ${flags.join(" ")}`);
  });
}

test("a namespace has the tunnel device tunl0 from the start, once ipip is loaded", () => {
  using first = createNamespace();
  first.ip("link", "add", "dev0", "type", "ipip", "local", "192.0.2.1");
  using second = createNamespace();
  const links: unknown = JSON.parse(second.ip("-json", "-details", "link", "show", "tunl0"));
  assert.partialDeepStrictEqual(links, [{ ifname: "tunl0", linkinfo: { info_kind: "ipip" } }]);
});
