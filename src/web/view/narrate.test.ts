// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../system/random.ts";
import { type Narrated, narrate } from "./narrate.ts";
import {
  EMPTY_VIEW,
  blockItem,
  containerItem,
  machineItem,
  nodeItem,
  randomView,
  sessionItem,
  tunnelItem,
} from "./view-fixtures.ts";

type Some = Partial<Narrated>;

describe("the log's words", () => {
  const cases: readonly (readonly [what: string, before: Some, after: Some, lines: readonly string[]])[] = [
    [
      "a link that is cut",
      { machines: [machineItem(true)] },
      { machines: [machineItem(false)] },
      ["host1 error underlay: eth0 (192.168.0.101) is down, or has no carrier"],
    ],
    [
      "a link that is mended",
      { machines: [machineItem(false)] },
      { machines: [machineItem(true)] },
      ["host1 info underlay: eth0 (192.168.0.101) is up"],
    ],
    [
      "a link of which nothing is known any more",
      { machines: [machineItem(true)] },
      { machines: [machineItem(null)] },
      [],
    ],
    [
      "a node that is no longer ready",
      { nodes: [nodeItem()] },
      {
        nodes: [
          nodeItem({
            isReady: false,
            reasons: ["bird: it does not run yet"],
            degraded: ["bird: it does not run yet", "api: no"],
          }),
        ],
      },
      ["host1 error not ready", "host1 error bird: it does not run yet", "host1 warning api: no"],
    ],
    [
      "a node that is ready again",
      { nodes: [nodeItem({ isReady: false, reasons: ["x"], degraded: ["api: no"] })] },
      { nodes: [nodeItem()] },
      ["host1 info ready", "host1 info no more: api: no"],
    ],
    [
      "an agent that has gone",
      { nodes: [nodeItem({ degraded: ["api: no"] })] },
      { nodes: [nodeItem({ isAnswering: false, isReady: null, reasons: ["its agent does not answer"] })] },
      ["host1 error the agent does not answer"],
    ],
    [
      "an agent that is back",
      { nodes: [nodeItem({ isAnswering: false, isReady: null })] },
      { nodes: [nodeItem()] },
      ["host1 info the agent answers"],
    ],
    [
      "another node, of which only its record is known",
      { nodes: [nodeItem({ isOwn: false, isReady: null })] },
      { nodes: [nodeItem({ isOwn: false, isReady: null, routeSource: "datastore" })] },
      [],
    ],
    [
      "routes from elsewhere",
      { nodes: [nodeItem()] },
      { nodes: [nodeItem({ routeSource: "datastore" })] },
      ["host1 info routes to other nodes come from the datastore"],
    ],
    [
      "a container that comes",
      {},
      { containers: [containerItem()] },
      ['host1 info container "a" (10.1.0.1, cali1) has come'],
    ],
    [
      "a container that goes",
      { containers: [containerItem()] },
      {},
      ['host1 info container "a" (10.1.0.1, cali1) has gone'],
    ],
    [
      "a container that somebody has broken",
      { containers: [containerItem()] },
      { containers: [containerItem({ isReady: false, missing: ["no route"] })] },
      ['host1 warning container "a" (10.1.0.1, cali1) is not as it should be: no route'],
    ],
    [
      "a container that is still being made",
      { containers: [containerItem({ isReady: false, missing: ["a"] })] },
      { containers: [containerItem({ isReady: false, missing: ["b"] })] },
      [],
    ],
    [
      "a session that comes to stand",
      { sessions: [sessionItem({ state: "OpenSent" })] },
      { sessions: [sessionItem()] },
      ['host1 info BGP: the session with node "host2" (192.168.0.102) stands'],
    ],
    [
      "a session that ends",
      { sessions: [sessionItem()] },
      { sessions: [sessionItem({ state: "Active", lastError: "Hold timer expired" })] },
      [
        'host1 warning BGP: the session with node "host2" (192.168.0.102) has ended (Active): Hold timer expired',
      ],
    ],
    [
      "a session on its way",
      { sessions: [sessionItem({ state: "Connect" })] },
      { sessions: [sessionItem({ state: "Active" })] },
      [],
    ],
    [
      "blocks that change hands",
      { blocks: [blockItem(), blockItem({ id: "10.1.0.64/26", node: null })] },
      { blocks: [blockItem({ node: null }), blockItem({ id: "10.1.0.64/26" })] },
      ["host1 info IPAM: gave up block 10.1.0.0/26", "host1 info IPAM: claimed block 10.1.0.64/26"],
    ],
    ["a block that is gone", { blocks: [blockItem()] }, {}, ["host1 info IPAM: gave up block 10.1.0.0/26"]],
    [
      "the end of a tunnel",
      { tunnels: [tunnelItem()] },
      { tunnels: [tunnelItem({ isUp: false })] },
      ["host1 error tunnel: the end of vxlan (vxlan.calico) is down"],
    ],
  ];
  const repairs = (route: number): Some => ({ repairs: { node: "host1", counts: { link: 1, route } } });
  const more: typeof cases = [
    [
      "what was put right",
      repairs(2),
      repairs(5),
      ["host1 warning kernel: put right what was not as it should be: 3 route"],
    ],
    ["nothing that was put right before", {}, repairs(5), []],
  ];
  for (const [what, before, after, lines] of [...cases, ...more])
    it(`tell of ${what}`, () => {
      const told = narrate({ ...EMPTY_VIEW, ...before }, { ...EMPTY_VIEW, ...after });
      assert.deepEqual(
        told.map(({ node, level, text }) => `${node} ${level} ${text}`),
        lines,
      );
    });

  it("are none where nothing has happened", () => {
    const random = createRandom(11);
    for (let round = 0; round < 50; round++) {
      const view = randomView(random);
      assert.deepEqual(narrate(view, structuredClone(view)), []);
    }
  });
});
