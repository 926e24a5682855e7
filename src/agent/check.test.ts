// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PathToNode } from "../desired/paths.ts";
import { parseIpv4 } from "../net/ipv4.ts";
import { parseIpv6 } from "../net/ipv6.ts";
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

  it("of IPv6 is mended likewise, and by the network alone where less than IPv6 needs would be left", () => {
    const six = { address: parseIpv6("fd00:2::103"), longest: "vxlan6" } as const;
    const wanted =
      'have the network carry 1500 octets, or set vxlanMTUV6 of the FelixConfiguration "default" to 1330';
    assert.equal(remedyOf(six, 1400), wanted);
    const more = "have the network carry more: IPv6 packets need 1280 octets, and";
    assert.equal(remedyOf(six, 1349), `${more} 1279 are left`);
    assert.equal(remedyOf({ ...six, longest: "direct" }, 1279), `${more} 1279 are left`);
  });

  it("without a tunnel is mended by the interfaces' MTU", () => {
    const remedy = remedyOf({ longest: "direct" }, 1400);
    const wanted =
      "have the network carry 1500 octets, or set the MTU of the nodes' interfaces that lead there to 1400";
    assert.equal(remedy, wanted);
  });
});
