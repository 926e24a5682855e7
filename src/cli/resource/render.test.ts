// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { type StoredResource, readStored } from "../../datastore/stored-resource.ts";
import { resourceKey } from "../../model/keys.ts";
import { type Format, exportedResource, noteOn, renderResources, shownResource } from "./render.ts";

function stored(name: string, rest: object): StoredResource {
  const json = { apiVersion: "projectcalico.org/v3", kind: "IPPool", metadata: { name, uid: "u" }, ...rest };
  const entry = { key: resourceKey("IPPool", name), value: JSON.stringify(json), revision: 7 };
  return readStored(entry) ?? assert.fail();
}

const ALLOCATABLE = { conditions: [{ type: "Allocatable", status: "False", reason: "CIDROverlap" }] };
const A = stored("a", { spec: { cidr: "10.1.0.0/16", nodeSelector: "rack == 'a'" }, status: ALLOCATABLE });
const LONG = stored("a-longer-name", { spec: { cidr: "10.2.0.0/24", future: 1 } });
const BROKEN = stored("broken", { spec: { cidr: "10.3.0.0/24\n", blockSize: 8 } });
const ALL = [A, LONG, BROKEN];

function render(resources: readonly StoredResource[], format: Format, isSingle = false): string {
  return renderResources(resources.map(shownResource), { kind: "IPPool", format, isSingle });
}

describe("resources are shown", () => {
  it("as a table, whatever is in them", () => {
    const text = [
      "NAME            CIDR            SELECTOR      ALLOCATABLE",
      "a               10.1.0.0/16     rack == 'a'   CIDROverlap",
      "a-longer-name   10.2.0.0/24     all()",
      String.raw`broken          10.3.0.0/24\n`,
    ];
    assert.equal(render(ALL, "table"), text.join("\n"));
    assert.equal(render(ALL, "ps"), text.join("\n"));
    assert.equal(render([], "table"), "NAME   CIDR   SELECTOR   ALLOCATABLE");
  });

  it("as a wide table", () => {
    const [titles = ""] = render(ALL, "wide").split("\n");
    assert.deepEqual(titles.split(/ +/), [
      "NAME",
      "CIDR",
      "NAT",
      "IPIPMODE",
      "VXLANMODE",
      "DISABLED",
      "DISABLEBGPEXPORT",
      "SELECTOR",
      "ALLOCATABLE",
    ]);
  });

  it("by name", () => {
    assert.equal(render([A, LONG], "name"), "ippool/a\nippool/a-longer-name");
  });

  it("as YAML and JSON that say the same, with defaults and version", () => {
    const json: unknown = JSON.parse(render([A, LONG], "json"));
    assert.deepEqual(parse(render([A, LONG], "yaml")), json);
    const one = JSON.parse(render([A], "json", true)) as Record<string, Record<string, unknown>>;
    assert.deepEqual(one["metadata"], { name: "a", uid: "u", resourceVersion: "7" });
    assert.equal(one["spec"]?.["blockSize"], 26);
    assert.deepEqual(json, {
      apiVersion: "projectcalico.org/v3",
      kind: "IPPoolList",
      items: [A, LONG].map(shownResource),
    });
  });

  it("as YAML that Calico's parser reads alike", () => {
    const labels = { a: "yes", b: "0o7", c: "1_000", d: "12:30", e: "~", f: "a\nb", g: "on" };
    const text = renderResources([{ metadata: { labels } }], {
      kind: "Node",
      format: "yaml",
      isSingle: true,
    });
    for (const version of ["1.1", "1.2"] as const)
      assert.deepEqual(parse(text, { version }), { metadata: { labels } });
  });

  it("for another cluster, without what ties them to this one", () => {
    const { metadata, status } = exportedResource(shownResource(A));
    assert.deepEqual(metadata, { name: "a" });
    assert.equal(status, undefined);
  });

  it("with a note where not all is shown", () => {
    assert.equal(noteOn(A), undefined);
    assert.match(
      noteOn(LONG) ?? "",
      /^IPPool "a-longer-name" has fields .* kept but not shown: spec\.future$/,
    );
    assert.match(
      noteOn(BROKEN) ?? "",
      /^IPPool "broken" cannot be used, and is shown as it is stored: spec\.cidr: /,
    );
  });
});
