// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { it } from "node:test";
import { keepAdvertisements } from "./advertisements.ts";
import { createFakeSysctls } from "./sysctl.ts";

it("goes on to heed advertisements where they are heeded, and nowhere else", () => {
  const values = new Map<string, string>();
  const set = (name: string, acceptRa: string, forwarding: string): void => {
    values.set(`net/ipv6/conf/${name}/accept_ra`, acceptRa);
    values.set(`net/ipv6/conf/${name}/forwarding`, forwarding);
  };
  set("eth0", "1", "0");
  set("eth1", "0", "0");
  set("eth2", "1", "1");
  set("eth3.7", "2", "0");
  const files = createFakeSysctls(values);
  assert.deepEqual(keepAdvertisements(["eth0", "eth1", "eth2", "eth3.7", "none"], files), ["eth0"]);
  const now = ["eth0", "eth1", "eth2", "eth3.7"].map((name) => values.get(`net/ipv6/conf/${name}/accept_ra`));
  assert.deepEqual(now, ["2", "0", "1", "2"]);
});
