// SPDX-License-Identifier: Apache-2.0
// Traces through the kernel's own IPIP device, held against what iproute2 and tcpdump say of the same network; those by programs are in test/system.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { TracedEnds } from "../../src/cli/trace/places.ts";
import type { StationPlace } from "../../src/observe/place.ts";
import type { Trace } from "../../src/trace/trace.ts";
import { eventually, succeed } from "../system/harness.ts";
import type { NodePair, PairedNode } from "../system/node-pair.ts";
import { assertNeighbours, assertRoutes, factsOf, seenAt, traceBetween } from "../system/trace-harness.ts";
import { capture } from "../system/traffic.ts";
import { createIpipPair } from "./ipip-pair.ts";

const NODE_END = "cali0123456789a";
/** Where a packet passes from the container of one node to that of the other, by the numbers of the nodes. */
const pathOf = (from: 1 | 2, to: 1 | 2): readonly string[] => [
  `c${from} out eth0`,
  `host${from} in ${NODE_END}`,
  `host${from} out tunl0`,
  `host${from} out eth0`,
  `host${to} in eth0`,
  `host${to} in tunl0`,
  `host${to} out ${NODE_END}`,
  `c${to} in eth0`,
];

function placesOf({ number, host, container }: PairedNode): readonly [StationPlace, StationPlace] {
  const path = (netns: string): string => `/run/netns/${netns}`;
  const node = `host${number}`;
  return [
    {
      name: `c${number}`,
      kind: "container",
      netnsPath: path(container),
      attachment: { node, ifName: NODE_END },
    },
    { name: node, kind: "node", netnsPath: path(host) },
  ];
}

function endsOf(from: PairedNode, to: PairedNode): TracedEnds {
  const [[source, near], [destination, far]] = [placesOf(from), placesOf(to)];
  return {
    places: [source, near, far, destination],
    source,
    src: from.containerIp,
    destination,
    dst: to.containerIp,
  };
}

describe("a trace through the kernel's IPIP device", () => {
  const stack = new AsyncDisposableStack();
  after(() => stack.disposeAsync());
  let nodes: NodePair["nodes"];
  const stations = {
    exec(station: string, ...command: readonly string[]): Promise<string> {
      const [, kind = "", number = ""] = /^(c|host)(\d)$/.exec(station) ?? [];
      const { host, container } = nodes[Number(number) - 1] ?? assert.fail(station);
      return succeed("ip", ["netns", "exec", kind === "c" ? container : host, ...command]);
    },
  };
  const trace = (from: PairedNode, to: PairedNode): Promise<Trace> => traceBetween(endsOf(from, to));
  /** A probe waits a second for its answer, which is little where others use the processors that this machine is emulated on. */
  const answered = async (from: PairedNode, to: PairedNode): Promise<Trace> => {
    let found = await trace(from, to);
    await eventually(async () => found.ok || (found = await trace(from, to)).ok, "an answer in time");
    return found;
  };

  it("names the device, the outer packet, where it is opened, and the delivery, both ways", async () => {
    ({ nodes } = await createIpipPair(stack, ["device", "device"]));
    const [one, other] = nodes;
    const found = await answered(one, other);
    for (const [direction, from, to] of [
      ["there", one, other],
      ["back", other, one],
    ] as const) {
      assert.deepEqual(seenAt(found, direction), pathOf(from.number, to.number));
      const [added, ...more] = factsOf(found, "encapsulated", { direction, station: `host${from.number}` });
      assert.deepEqual(
        [
          added?.as,
          added?.by,
          added?.outer.src,
          added?.outer.dst,
          added?.outer.protocol,
          added?.outer.length,
        ],
        ["ipip", "tunl0", from.address, to.address, 4, 104],
      );
      assert.deepEqual(more, []);
      const [opened] = factsOf(found, "decapsulated", { direction, station: `host${to.number}` });
      assert.deepEqual([opened?.as, opened?.by, opened?.outer.src], ["ipip", "tunl0", from.address]);
      const [delivered] = factsOf(found, "delivered", { direction, station: `c${to.number}` });
      assert.equal(delivered?.ip, to.containerIp);
    }
  });

  it("is what iproute2 and tcpdump say of it", async () => {
    const [one, other] = nodes;
    const captured = await capture(other.host, 2, "proto 4");
    const found = await trace(one, other);
    await assertRoutes(stations, found);
    await assertNeighbours(stations, found);
    const [added] = factsOf(found, "encapsulated", { direction: "there" });
    assert.ok(added?.outer.kind === "ipv4" && found.probe.kind === "icmp");
    const { src, dst, ttl, length } = added.outer;
    const [request = ""] = (await captured()).split(/\n(?=\S)/);
    assert.match(
      request,
      new RegExp(`ttl ${ttl}, .*proto IPIP \\(4\\), length ${length}\\)\\s+${src} > ${dst}: `),
    );
    assert.match(request, new RegExp(`echo request, id ${found.probe.identifier}, `));
  });

  it("from a node that has the device to one that has programs is what each of them does", async () => {
    await using mixed = new AsyncDisposableStack();
    const {
      nodes: [one, other],
    } = await createIpipPair(mixed, ["device", "bpf"]);
    const found = await answered(one, other);
    const devices = (kind: "encapsulated" | "decapsulated"): unknown =>
      factsOf(found, kind, {}).map(({ by }) => by);
    assert.deepEqual(
      [devices("encapsulated"), devices("decapsulated")],
      [
        ["tunl0", null],
        [null, "tunl0"],
      ],
    );
  });

  for (const [where, rule, told] of [
    [
      "before",
      "input priority 0; ip protocol 4 drop",
      /by "eth0", and nftables drops the outer packet there, by the rule "ip protocol \S+ drop" of chain "f"/,
    ],
    [
      "behind",
      'forward priority 0; iifname "tunl0" drop',
      /by "tunl0", and nftables drops it there, by the rule "iifname "tunl0" drop" of chain "f"/,
    ],
  ] as const)
    it(`ends at the other node's firewall ${where} the device, and names its rule`, async () => {
      const [one, other] = nodes;
      await other.run("nft", `table ip other { chain f { type filter hook ${rule}; }; }`);
      try {
        const { fault } = await trace(one, other);
        assert.deepEqual(
          [fault?.cause, fault?.station, fault?.direction],
          ["dropped", "host2", "there"],
          fault?.text,
        );
        assert.match(fault?.text ?? "", told);
      } finally {
        await other.run("nft", "delete table ip other");
      }
    });
});
