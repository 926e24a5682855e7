// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DetectedHere } from "../../agent/address/detect-here.ts";
import { createFakeProcesses } from "../../system/process.ts";
import { type Feature, type SystemTools, checkSystem, renderSystemReport } from "./system-check.ts";
import { SYSTEM_CHECKS, isAtLeast } from "./system-checks.ts";

const PROGRAMS = {
  ip: () => ({ stdout: "ip utility, iproute2-6.1.0\n" }),
  bird: () => ({ stderr: "BIRD version 2.0.12\n" }),
  nft: () => ({ stdout: "nftables v1.0.6 (Lester Gooch #5)\n" }),
  unshare: () => ({}),
};

const TOOLS: SystemTools = {
  processes: createFakeProcesses(PROGRAMS),
  kernelRelease: "6.1.0-18-amd64",
  userId: 0,
  exists: () => true,
  isWritable: () => true,
  detectAddress: () =>
    Promise.resolve({
      kind: "found",
      address: "192.168.0.101/24",
      reason: "first-found: eth0 has the default route",
    }),
};

/** The names of what is needed and missing. */
async function missing(
  change: Partial<SystemTools>,
  features: readonly Feature[] = ["bgp"],
): Promise<readonly string[]> {
  const signal = new AbortController().signal;
  const { ok, checks } = await checkSystem(SYSTEM_CHECKS, features, { ...TOOLS, ...change }, { signal });
  const names = checks.filter((check) => check.needed && !check.ok).map(({ name }) => name);
  assert.equal(ok, names.length === 0);
  return names;
}

/** A kernel without devices of the kinds. */
function without(...kinds: readonly string[]): Partial<SystemTools> {
  const unshare = (args: readonly string[]): object =>
    kinds.some((kind) => args.includes(kind)) ? { code: 2, stderr: "Error: Unknown device type.\n" } : {};
  return { processes: createFakeProcesses({ ...PROGRAMS, unshare }) };
}

const { bird, nft, ...OTHERS } = PROGRAMS;

describe("a machine", () => {
  it("may have everything", async () => {
    assert.deepEqual(await missing({}, ["bgp", "ipip", "vxlan", "wireguard"]), []);
  });

  const rows: readonly (readonly [string, Partial<SystemTools>, readonly Feature[], readonly string[]])[] = [
    ["root", { userId: 7 }, [], ["user"]],
    ["a new kernel", { kernelRelease: "4.19.0" }, ["vxlan"], ["kernel", "kernel for tunnels"]],
    ["a writable /proc/sys", { isWritable: () => false }, [], ["/proc/sys"]],
    ["BIRD", { processes: createFakeProcesses({ ...OTHERS, nft }) }, ["bgp"], ["bird"]],
    ["BIRD, which nobody needs", { processes: createFakeProcesses({ ...OTHERS, nft }) }, ["vxlan"], []],
    [
      "BIRD 2",
      { processes: createFakeProcesses({ ...PROGRAMS, bird: () => ({ stdout: "BIRD version 1.6.8" }) }) },
      ["bgp"],
      ["bird"],
    ],
    ["nft", { processes: createFakeProcesses({ ...OTHERS, bird }) }, [], ["nft"]],
    ["vxlan", without("vxlan"), ["vxlan"], ["vxlan"]],
    ["ipip, with BPF", without("ipip"), ["ipip"], []],
    ["ipip and BPF", { ...without("ipip"), exists: () => false }, ["ipip"], ["ipip"]],
    ["wireguard", without("wireguard"), ["wireguard"], ["wireguard"]],
  ];
  for (const [what, change, features, names] of rows) {
    it(`may lack ${what}`, async () => {
      assert.deepEqual(await missing(change, features), names);
    });
  }

  it("may have wireguard-go in place of the device, where there is tun", async () => {
    const unshare = without("wireguard");
    const others = unshare.processes ?? assert.fail();
    const processes = {
      run: (command: string, ...rest: readonly [readonly string[]]) =>
        command === "wireguard-go"
          ? Promise.resolve({ code: 0, stdout: "", stderr: "" })
          : others.run(command, ...rest),
    };
    assert.deepEqual(await missing({ processes }, ["wireguard"]), []);
    assert.deepEqual(await missing({ processes, exists: () => false }, ["wireguard"]), ["wireguard"]);
  });

  it("may lack an address, which an agent can be told", async () => {
    const detectAddress = (): Promise<DetectedHere> =>
      Promise.resolve({ kind: "none", reason: "first-found finds none (no interface has an IPv4 address)" });
    assert.deepEqual(await missing({ detectAddress }), []);
    const refuse = { userId: 7, detectAddress: () => Promise.reject(new Error("only root may ask")) };
    assert.deepEqual(await missing(refuse), ["user"]);
    const { signal } = new AbortController();
    const text = renderSystemReport(
      await checkSystem(SYSTEM_CHECKS, ["bgp"], { ...TOOLS, detectAddress }, { signal }),
    );
    assert.match(
      text,
      /^ {2}without {2}address {13}first-found finds none \(.*\)\n {11}give an interface an address, or set address /m,
    );
  });

  it("says which address an agent would take, and why", async () => {
    const { signal } = new AbortController();
    const text = renderSystemReport(await checkSystem(SYSTEM_CHECKS, ["bgp"], TOOLS, { signal }));
    assert.match(
      text,
      /^ {2}ok {7}address {13}192\.168\.0\.101\/24 without a configured one; first-found: eth0 has the default route$/m,
    );
  });

  it("is told about with a remedy", async () => {
    const signal = new AbortController().signal;
    const report = await checkSystem(
      SYSTEM_CHECKS,
      ["vxlan"],
      { ...TOOLS, ...without("vxlan", "wireguard") },
      { signal },
    );
    const text = renderSystemReport(report);
    assert.match(text, /^The node lacks something that it needs\n {2}ok {7}user {16}root\n/);
    assert.match(
      text,
      /^ {2}missing {2}vxlan {15}Error: Unknown device type\.\n {11}for vxlan: use a kernel with vxlan devices, /m,
    );
    assert.match(text, /^ {2}without {2}wireguard {11}Error: Unknown device type\.\n {11}for wireguard: /m);
  });
});

it("versions are compared by numbers", () => {
  for (const version of ["5.7", "5.10.0-amd64", "6", "5.7.1"]) assert.ok(isAtLeast(version, "5.7"), version);
  for (const version of ["5.6.9", "4.20", "5", "", "unknown"]) assert.ok(!isAtLeast(version, "5.7"), version);
});
