// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { subject } from "../../doctor/check.ts";
import { locate } from "../../doctor/doctor.ts";
import { checkSystem } from "../node/system-check.ts";
import { createFakeProcesses } from "../../system/process.ts";
import { renderReport, reportOf } from "./render.ts";
import { systemChecks } from "./system-checks.ts";

it("a report has faults first, and below each what to do about it", () => {
  const report = reportOf(
    locate("host1", [
      subject("conntrack", "net/netfilter/nf_conntrack_count").ok("7 of 1000 connections"),
      subject("path", "all nodes").skipped("the agent does not answer"),
      subject("version", "agent and program").warning("the agent is of\u001b[2J 1.0.0", "restart the agent"),
      subject("forwarding", "net/ipv4/ip_forward").fault(
        "the node forwards no IPv4 packet",
        "switch it on",
        "sysctl -w net/ipv4/ip_forward=1",
      ),
    ]),
  );
  assert.equal(report.ok, false);
  const text = [
    "1 fault, 1 warning, 1 check skipped, 1 check is well",
    "FAULT     host1   forwarding   net/ipv4/ip_forward                the node forwards no IPv4 packet",
    "  -> switch it on",
    "     $ sysctl -w net/ipv4/ip_forward=1",
    "WARNING   host1   version      agent and program                  the agent is of [2J 1.0.0",
    "  -> restart the agent",
    "SKIPPED   host1   path         all nodes                          the agent does not answer",
    "ok        host1   conntrack    net/netfilter/nf_conntrack_count   7 of 1000 connections",
  ];
  assert.equal(renderReport(report), text.join("\n"));
});

it("without a fault all is well, whatever else there is", () => {
  const checks = [subject("a", "b").warning("c", "d"), subject("a", "b").skipped("c")];
  assert.equal(reportOf(locate("host1", checks)).ok, true);
});

it("what a machine lacks is a fault where the node needs it, and nothing where it does not", async () => {
  const finding = { ok: false, found: "it is not there", remedy: "install it" } as const;
  const run = (): Promise<typeof finding> => Promise.resolve(finding);
  const report = await checkSystem(
    [
      { name: "bird", neededFor: ["bgp"], run },
      { name: "vxlan", neededFor: ["vxlan"], run },
      { name: "address", neededFor: [], run },
      { name: "ip", neededFor: "everything", run: () => Promise.resolve({ ok: true, found: "6.1" }) },
    ],
    ["bgp"],
    {
      processes: createFakeProcesses({}),
      kernelRelease: "6.1.0",
      userId: 0,
      exists: () => true,
      isWritable: () => true,
      detectAddress: () => assert.fail("nobody asked for it"),
    },
    new AbortController(),
  );
  assert.deepEqual(systemChecks(report), [
    subject("system", "bird").fault("it is not there", "install it"),
    subject("system", "ip").ok("6.1"),
  ]);
});
