// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Entry } from "../../datastore/store.ts";
import { archiveEntry } from "./archive.ts";
import { planImport } from "./import-plan.ts";
import { type ParsedArchive, parseArchive } from "./parse-archive.ts";
import { renderArchive } from "./render-archive.ts";

const RESOURCES = "/calico/resources/v3/projectcalico.org/";
const IPAM = "/calico/ipam/v2/";

function resource(kind: string, metadata: object, rest: object = { spec: {} }): string {
  return JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata, ...rest });
}

const BLOCK = `{"cidr":"10.1.0.0/30","affinity":"host:n","allocations":[0,null,null,null],"unallocated":[1,2,3],"attributes":[{"handle_id":"h","secondary":{"a":"yes\\n\\"{}"}}],"sequenceNumber":1788000000000000001,"sequenceNumberForAllocation":{"0":1788000000000000000},"deleted":false,"future":[1.5,null]}`;

const STORED: Readonly<Record<string, string>> = {
  [`${RESOURCES}ippools/p`]: resource(
    "IPPool",
    { name: "p", uid: "u" },
    { spec: { cidr: "10.1.0.0/16", future: 1 } },
  ),
  [`${RESOURCES}nodes/n`]: resource("Node", {
    name: "n",
    labels: { a: "no", b: "1:30", c: "x\ny: '{}'\"===\n===\n---\n" },
  }),
  [`${RESOURCES}nodes/broken`]: resource("Node", { name: "broken" }, { spec: 7 }),
  [`${RESOURCES}nodes/other`]: resource("Node", { name: "another" }),
  [`${RESOURCES}networkpolicies/ns/default.p`]: `{"apiVersion":"projectcalico.org/v3","kind":"NetworkPolicy","metadata":{"name":"default.p","namespace":"ns"},"spec":{"order":9007199254740993,"text":"9007199254740993","half":1.5,"__proto__":"x","<<":{"a":1}}}`,
  [`${RESOURCES}clusterinformations/default`]: resource("ClusterInformation", { name: "default" }),
  [`${RESOURCES}gadgets/g`]: resource("Gadget", { name: "g" }),
  [`${IPAM}assignment/ipv4/block/10.1.0.0-30`]: BLOCK,
  [`${IPAM}assignment/ipv4/block/10.2.0.0-30`]: BLOCK,
  [`${IPAM}host/n/ipv4/block/10.1.0.0-30`]: '{"state":"confirmed","deleted":false}',
  [`${IPAM}handle/h`]: '{"handleID":"h","block":{"10.1.0.0/30":1},"deleted":false}',
  [`${IPAM}config`]: '{"strict_affinity":false,"auto_allocate_blocks":true}',
  "/calico/v1/Ready": "true",
  "/calico/strange": 'no JSON: "\n===\n',
};

function entriesOf(stored: Readonly<Record<string, string>>): readonly Entry[] {
  return Object.entries(stored)
    .map(([key, value], index) => ({ key, value, revision: index + 1 }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

const ENTRIES = entriesOf(STORED);
const ARCHIVE = renderArchive(ENTRIES.map(archiveEntry));

function restored({ values, faults }: ParsedArchive): Readonly<Record<string, string>> {
  assert.deepEqual(faults, []);
  return Object.fromEntries(values.map(({ key, text }) => [key, text]));
}

describe("an archive of a datastore", () => {
  it("holds everything, digit by digit", () => {
    assert.deepEqual(restored(parseArchive("f", ARCHIVE)), STORED);
  });

  it("is the same of what was restored from it", () => {
    const again = entriesOf(restored(parseArchive("f", ARCHIVE)));
    assert.equal(renderArchive(again.map(archiveEntry)), ARCHIVE);
  });

  it("keeps as text what it cannot read", () => {
    const raw = ENTRIES.map(archiveEntry).filter(({ part }) => part === "entries");
    assert.deepEqual(
      raw.map(({ key }) => key),
      [
        "/calico/ipam/v2/assignment/ipv4/block/10.2.0.0-30",
        "/calico/resources/v3/projectcalico.org/gadgets/g",
        "/calico/resources/v3/projectcalico.org/nodes/broken",
        "/calico/resources/v3/projectcalico.org/nodes/other",
        "/calico/strange",
        "/calico/v1/Ready",
      ],
    );
  });

  it("of nothing is taken", () => {
    assert.deepEqual(restored(parseArchive("f", renderArchive([]))), {});
  });

  it("of calicoctl is taken", () => {
    const text = `apiVersion: projectcalico.org/v3
items:
- apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata:
    creationTimestamp: null
    name: p
  spec:
    cidr: 10.1.0.0/16
kind: IPPoolList
metadata:
  resourceVersion: "12"
---
apiVersion: projectcalico.org/v3
items: []
kind: BGPPeerList
metadata: {}
---
===
{
  "kind": "ClusterInformation",
  "apiVersion": "projectcalico.org/v3",
  "metadata": { "name": "default", "resourceVersion": "3" },
  "spec": { "calicoVersion": "v3.32.1" }
}
===
{
  "block_affinities": [
    { "Key": "/calico/ipam/v2/host/n/ipv4/block/10.1.0.0-30", "Value": { "state": "confirmed", "deleted": false }, "TTL": 0 }
  ],
  "blocks": [ { "Key": "/calico/ipam/v2/assignment/ipv4/block/10.1.0.0-30", "Value": ${BLOCK}, "TTL": 0 } ],
  "config": { "Key": "/calico/ipam/v2/config", "Value": { "strict_affinity": false }, "TTL": 0 }
}
`;
    const parsed = parseArchive("f", text);
    assert.deepEqual(Object.keys(restored(parsed)).toSorted(), [
      `${IPAM}assignment/ipv4/block/10.1.0.0-30`,
      `${IPAM}config`,
      `${IPAM}host/n/ipv4/block/10.1.0.0-30`,
      `${RESOURCES}clusterinformations/default`,
      `${RESOURCES}ippools/p`,
    ]);
    assert.equal(restored(parsed)[`${IPAM}assignment/ipv4/block/10.1.0.0-30`], BLOCK);
    assert.deepEqual(parsed.notes, ['ClusterInformation "default" is kept; nothing here goes by it']);
  });

  it("tells all its faults, with their places", () => {
    const text = `${resource("Gadget", { name: "g" })}\n---\n${resource("Tier", { name: "../t" })}\n---\n${resource("IPPool", { name: "p" }, { spec: { cidr: "x" } })}
===
===
{"blocks":[{"Key":"/calico/ipam/v2/assignment/ipv4/block/10.9.0.0-30","Value":${BLOCK}}],"handles":[{"Key":"/elsewhere","Value":{}}],"extra":1}
`;
    const [first, second, third, ...ipam] = parseArchive("f", text).faults;
    assert.equal(
      first,
      `f: document 1, line 1: Gadget "g" is none of Calico's kinds with a name that it can have`,
    );
    assert.equal(
      second,
      `f: document 2, line 3: Tier "../t" is none of Calico's kinds with a name that it can have`,
    );
    assert.match(third ?? "", /^f: document 3, line 5: IPPool "p": spec\.cidr: Cannot parse prefix "x"/);
    assert.equal(ipam.length, 2);
    assert.match(ipam[0] ?? "", /^f: IPAM, from line 8: handles\[0\]\.Key: /);
    assert.match(ipam[1] ?? "", /^f: IPAM, from line 8: extra: there is no field "extra"$/);
    const other = parseArchive("f", text.replace(/,"handles.*}/, "}")).faults.at(-1);
    assert.equal(other, `f: IPAM, from line 8: blocks[0]: cidr: it is not "10.9.0.0/30", as the key says`);
  });
});

it("a value that an archive holds twice is told once", () => {
  const node = resource("Node", { name: "n" });
  assert.deepEqual(parseArchive("f", `${node}\n---\n${node}`).faults, ['Node "n" is there twice']);
});

describe("an import", () => {
  const { values } = parseArchive("f", ARCHIVE);

  it("stores addresses in use before the pools that they are from", () => {
    const { steps, conflicts, foreign } = planImport(values, []);
    assert.deepEqual([conflicts, foreign], [[], []]);
    const order = steps.map(({ key }) => key);
    const at = (key: string): number => order.indexOf(key);
    assert.ok(at(`${IPAM}handle/h`) < at(`${IPAM}assignment/ipv4/block/10.1.0.0-30`));
    assert.ok(at(`${IPAM}assignment/ipv4/block/10.1.0.0-30`) < at(`${IPAM}host/n/ipv4/block/10.1.0.0-30`));
    assert.equal(order.at(-1), `${RESOURCES}ippools/p`);
  });

  it("that was interrupted goes on where it stopped", () => {
    const { steps } = planImport(values, ENTRIES.slice(0, 5));
    assert.equal(steps.filter(({ kind }) => kind === "created").length, ENTRIES.length - 5);
    assert.ok(planImport(values, ENTRIES).steps.every(({ kind }) => kind === "unchanged"));
  });

  it("takes a resource that an agent has reported on since for the same", () => {
    const key = `${RESOURCES}ippools/p`;
    const pool = { ...(JSON.parse(STORED[key] ?? "") as object), status: { conditions: [] } };
    const { steps, conflicts } = planImport(values, [{ key, value: JSON.stringify(pool), revision: 7 }]);
    assert.deepEqual(conflicts, []);
    assert.equal(steps.find((one) => one.key === key)?.kind, "unchanged");
  });

  it("completes a node that its agent has registered, and overwrites nothing", () => {
    const key = `${RESOURCES}nodes/n`;
    const value = resource(
      "Node",
      { name: "n", labels: { a: "mine" } },
      { spec: { bgp: { ipv4Address: "192.0.2.1/24" } } },
    );
    const { steps } = planImport(values, [{ key, value, revision: 7 }]);
    const step = steps.find((one) => one.key === key) ?? assert.fail();
    assert.equal(step.kind, "completed");
    const node = JSON.parse(step.text) as { metadata: { labels: object }; spec: object };
    assert.deepEqual(node.spec, { bgp: { ipv4Address: "192.0.2.1/24" } });
    assert.deepEqual(node.metadata.labels, { a: "mine", b: "1:30", c: "x\ny: '{}'\"===\n===\n---\n" });
  });

  it("tells what stands in its way", () => {
    const pool = { key: `${RESOURCES}ippools/p`, value: resource("IPPool", { name: "p" }), revision: 1 };
    const block = { key: `${IPAM}assignment/ipv4/block/10.1.0.0-26`, value: "{}", revision: 2 };
    const report = { key: "/calico/felix/v2/no-region/host/n/status", value: "{}", revision: 3 };
    const { conflicts, foreign } = planImport(values, [pool, block, report]);
    assert.deepEqual(conflicts, [
      'IPPool "p" is there already, and is another',
      `"${IPAM}assignment/ipv4/block/10.1.0.0-30" overlaps block "10.1.0.0/26" that is there already`,
    ]);
    assert.deepEqual(foreign, [block.key]);
  });
});
