// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RT_TABLE_MAIN } from "../../dataplane/netlink/route.ts";
import { parseAddressSetting } from "../../model/address-setting.ts";
import { parseCidr, parseInterfaceAddress } from "../../net/cidr.ts";
import { parseIfName } from "../../net/if-name.ts";
import { type Decision, decideAddress, reviewAddress } from "./decision.ts";
import type { NetworkState } from "./detection.ts";

const SETTING = "first-found";

/** eth0, eth1 … with an address each; the first has the default route. */
function network(...addresses: readonly string[]): NetworkState {
  return {
    family: 4,
    links: addresses.map((_, place) => ({
      index: place + 2,
      name: parseIfName(`eth${place}`),
      mtu: 1500,
      up: true,
      running: true,
      flags: 0,
    })),
    addresses: addresses.map((text, place) => ({
      ifIndex: place + 2,
      ...parseInterfaceAddress(text),
      scope: 0,
      label: `eth${place}`,
    })),
    routes: [
      {
        table: RT_TABLE_MAIN,
        dst: parseCidr("0.0.0.0/0"),
        type: "unicast",
        protocol: 3,
        scope: 0,
        metric: 0,
        ifIndex: 2,
        onlink: false,
      },
    ],
  };
}

function decide(setting: string, recorded: string | undefined, state: NetworkState): Decision {
  const nodeName = "host1";
  return decideAddress({ nodeName, setting: parseAddressSetting(setting), recorded, network: state });
}

describe("the decision on a node's address", () => {
  const both = network("10.0.0.1/24", "10.0.1.1/24");
  const reason = "first-found: eth0 has the default route";
  const passedOver = [{ address: "10.0.1.1/24", interface: "eth1", reason: "eth1 has no default route" }];

  it("takes what is detected where nothing is recorded, and what is recorded where both agree", () => {
    const known = { address: "10.0.0.1/24", reason, passedOver };
    assert.deepEqual(decide(SETTING, undefined, both), { kind: "known", known });
    assert.deepEqual(decide(SETTING, "10.0.0.1/24", both), { kind: "known", known });
  });

  it("takes the length from the interface", () => {
    const decision = decide(SETTING, "10.0.0.1/16", both);
    assert.equal(decision.kind === "known" && decision.known.address, "10.0.0.1/24");
  });

  it("keeps what is recorded while an interface has it, and says what it would take and how to accept that", () => {
    assert.deepEqual(decide(SETTING, "10.0.1.1/24", both), {
      kind: "known",
      known: {
        address: "10.0.1.1/24",
        reason: "recorded before",
        passedOver: [{ address: "10.0.0.1/24", interface: "eth0", reason: "another address is recorded" }],
        degradation:
          'address: 10.0.0.1/24 is what would be taken now (first-found: eth0 has the default route), and the node keeps 10.0.1.1/24, which is recorded; to accept the other, delete spec.bgp.ipv4Address of the Node "host1"; to keep this one for good, set "address: 10.0.1.1/24" in the configuration',
        alternative: { address: "10.0.0.1/24", reason },
      },
    });
  });

  it("keeps what is recorded where nothing is detected", () => {
    const decision = decide("interface=eth9", "10.0.1.1/24", both);
    assert.ok(decision.kind === "known");
    assert.equal(decision.known.address, "10.0.1.1/24");
    assert.equal(decision.known.alternative, undefined);
    assert.match(
      decision.known.degradation ?? "",
      /^address: interface=eth9 finds none \(.*\); the node keeps 10\.0\.1\.1\/24, which is recorded;/,
    );
  });

  it("takes what is detected where what is recorded is gone, and warns of both", () => {
    assert.deepEqual(decide(SETTING, "10.0.9.1/24", both), {
      kind: "known",
      known: {
        address: "10.0.0.1/24",
        reason: `${reason}; 10.0.9.1/24, which is recorded, is on no interface`,
        passedOver,
      },
      warning: `The node's address is now 10.0.0.1/24 (${reason}): 10.0.9.1/24, which is recorded, is on no interface`,
    });
  });

  it("waits where there is neither", () => {
    const none = network();
    assert.deepEqual(decide(SETTING, undefined, none), {
      kind: "waiting",
      reason: "first-found finds none (no interface has an IPv4 address)",
    });
    assert.deepEqual(decide(SETTING, "10.0.9.1/24", none), {
      kind: "waiting",
      reason:
        "first-found finds none (no interface has an IPv4 address); 10.0.9.1/24, which is recorded, is on no interface",
    });
  });

  it("takes what the configuration says, whatever there is, and warns where another address is recorded", () => {
    const known = { address: "10.0.9.1/24", reason: "set in the configuration", passedOver: [] };
    assert.deepEqual(decide("10.0.9.1/24", undefined, both), { kind: "known", known });
    assert.deepEqual(decide("10.0.9.1/24", "10.0.0.1/24", both), {
      kind: "known",
      known,
      warning: "The node's address is now 10.0.9.1/24, as its configuration says: 10.0.0.1/24 was recorded",
    });
  });

  it("has nothing to say any more once detection agrees", () => {
    const review = reviewAddress("host1", { kind: "first-found" }, "10.0.0.1/24", both);
    assert.deepEqual(review, { address: "10.0.0.1/24", reason, passedOver });
  });
});
