// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PathToNode } from "../desired/paths.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { judge } from "./check.ts";

const UNDERLAY: PathToNode = {
  node: "host3",
  via: "underlay",
  address: parseIpv4("192.168.2.103"),
  bytes: 1500,
  longest: "vxlan",
};
const { longest, ...SHOWN } = UNDERLAY;

function remedyOf(path: Partial<PathToNode>, found: number): string {
  const checked = judge({ ...UNDERLAY, ...path }, { kind: "tooSmall", found });
  return checked.verdict === "tooSmall" ? checked.remedy : assert.fail();
}

describe("a way to a node", () => {
  it("is well where what may be sent passes", () => {
    assert.deepEqual(judge(UNDERLAY, { kind: "passes" }), { ...SHOWN, verdict: "ok" });
  });

  it("is unreachable for a reason", () => {
    const size = { kind: "unreachable", reason: "no answer" } as const;
    assert.deepEqual(judge(UNDERLAY, size), { ...SHOWN, verdict: "unreachable", reason: "no answer" });
  });

  it("that is too small is mended by the tunnel's MTU, which leaves room for its headers", () => {
    assert.equal(longest, "vxlan");
    const network = "have the network carry 1500 octets";
    const settings = 'of the FelixConfiguration "default" to';
    assert.equal(remedyOf({}, 1400), `${network}, or set vxlanMTU ${settings} 1350`);
    assert.equal(remedyOf({ longest: "ipip" }, 1400), `${network}, or set ipipMTU ${settings} 1380`);
    assert.equal(
      remedyOf({ longest: "wireguard" }, 1400),
      `${network}, or set wireguardMTU ${settings} 1340`,
    );
  });

  it("inside a tunnel is mended by what the tunnel is found to carry", () => {
    const remedy = remedyOf({ via: "vxlan", bytes: 1450 }, 1430);
    assert.equal(remedy, 'set vxlanMTU of the FelixConfiguration "default" to 1430');
  });

  it("without a tunnel is mended by the interfaces' MTU", () => {
    const remedy = remedyOf({ longest: "direct" }, 1400);
    const wanted =
      "have the network carry 1500 octets, or set the MTU of the nodes' interfaces that lead there to 1400";
    assert.equal(remedy, wanted);
  });
});
