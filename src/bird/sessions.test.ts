// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Reply, ReplyReader } from "./reply.ts";
import { parseRecovery, parseSessions } from "./sessions.ts";

/** What BIRD 2.0.12 answers to `show protocols all`, shortened where nothing is read. */
const PROTOCOLS = `2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     2026-11-23 06:31:45.849  
1006-
1002-kernel1    Kernel     master4    up     2026-11-23 06:31:45.849  
1006-  Channel ipv4
     State:          UP
     Routes:         0 imported, 7 exported, 0 preferred
 
1002-mesh_192_168_0_103 BGP        ---        up     2026-11-23 06:31:47.511  Established   
1006-  Description:    host3
   BGP state:          Established
     Neighbor address: 192.168.0.103
     Neighbor AS:      64512
   Channel ipv4
     State:          UP
     Routes:         2 imported, 1 filtered, 3 exported, 2 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              2          0          0          0          2
 
1002-mesh_192_168_0_102 BGP        ---        start  2026-11-23 06:21:32.495  Passive       Socket: Connection closed
1006-  BGP state:          Passive
     Neighbor address: 192.168.0.102
     Neighbor AS:      64512
     Neighbor graceful restart active
     Last error:       Socket: Connection closed
   Channel ipv4
     State:          UP
     Routes:         4 imported, 0 exported, 4 preferred
 
1002-mesh_192_168_0_104 BGP        ---        down   2026-11-23 06:21:32.495  
1006-  BGP state:          Down
     Neighbor address: 192.168.0.104
     Neighbor AS:      64512
   Channel ipv4
     State:          DOWN
 
0000 
`;

function reply(text: string): Reply {
  const [event] = new ReplyReader().push(text);
  assert.ok(event?.kind === "reply");
  return event.reply;
}

describe("the sessions of BIRD", () => {
  it("are read from its protocols, sorted by name", () => {
    assert.deepEqual(parseSessions(reply(PROTOCOLS)), [
      {
        name: "mesh_192_168_0_102",
        peer: "192.168.0.102",
        state: "Passive",
        sinceMs: Date.UTC(2026, 10, 23, 6, 21, 32, 495),
        imported: 4,
        exported: 0,
        peerRestarting: true,
        lastError: "Socket: Connection closed",
        bfd: undefined,
      },
      {
        name: "mesh_192_168_0_103",
        peer: "192.168.0.103",
        state: "Established",
        sinceMs: Date.UTC(2026, 10, 23, 6, 31, 47, 511),
        imported: 2,
        exported: 3,
        peerRestarting: false,
        lastError: undefined,
        bfd: undefined,
      },
      {
        name: "mesh_192_168_0_104",
        peer: "192.168.0.104",
        state: "Down",
        sinceMs: Date.UTC(2026, 10, 23, 6, 21, 32, 495),
        imported: 0,
        exported: 0,
        peerRestarting: false,
        lastError: undefined,
        bfd: undefined,
      },
    ]);
  });

  it("are none where no protocol is BGP", () => {
    assert.deepEqual(parseSessions(reply("2002-Name\n1002-device1    Device     ---\n0000 \n")), []);
  });

  for (const [title, from, to] of [
    ["a time in another format", "2026-11-23 06:31:47.511", "06:31:47.511"],
    ["an unknown state", "BGP state:          Down", "BGP state:          Sideways"],
    ["a missing address", "Neighbor address: 192.168.0.102", "Neighbor range: 192.168.0.0/24"],
    ["routes in other words", "4 imported", "four imported"],
  ] as const) {
    it(`throw for ${title}`, () => {
      assert.ok(PROTOCOLS.includes(from));
      assert.throws(() => parseSessions(reply(PROTOCOLS.replace(from, to))), SyntaxError);
    });
  }

  it("recover while BIRD's status says so", () => {
    const up = "1000-BIRD 2.0.12\n0013 Daemon is up and running\n";
    const recovering = `1000-BIRD 2.0.12
0024-Graceful restart recovery in progress
   Waiting for 1 channels to recover
   Wait timer is 14.209/15
0013 Daemon is up and running
`;
    assert.equal(parseRecovery(reply(up)), false);
    assert.equal(parseRecovery(reply(recovering)), true);
  });
});
