// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { nodeCheck } from "../agent/answers.ts";
import { renderNodeCheck } from "./node-check.ts";

it("a check has a line for each way, and says what to do", () => {
  const host3 = { node: "host3", via: "underlay", address: "192.168.2.103", bytes: 1500 };
  const report = nodeCheck.parse({
    nodeName: "host1",
    ok: false,
    paths: [
      { node: "host2", via: "underlay", address: "192.168.1.102", bytes: 1450, verdict: "ok" },
      { ...host3, verdict: "tooSmall", found: 1400, remedy: "do something" },
      { ...host3, node: "host4", verdict: "unreachable", reason: "no answer" },
    ],
  });
  const text = [
    "Ways from host1: 2 amiss",
    "  host2  underlay  192.168.1.102  1450 octets pass",
    "  host3  underlay  192.168.2.103  too small: 1400 of 1500 octets pass",
    "    do something",
    "  host4  underlay  192.168.2.103  unreachable: no answer",
  ];
  assert.equal(renderNodeCheck(report), text.join("\n"));
});
