// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ALL_KINDS } from "../../model/resource.ts";
import { readItems } from "./document.ts";
import { parseItems } from "./manifest.ts";
import { formatFault } from "./place.ts";

function faults(text: string): readonly string[] {
  return parseItems([readItems("f.yaml", text)]).faults.map(formatFault);
}

function names(text: string): readonly string[] {
  const { manifests, faults } = parseItems([readItems("f.yaml", text)]);
  assert.deepEqual(faults, []);
  return manifests.map(({ resource: { kind, metadata }, place }) => {
    const namespace = "namespace" in metadata ? `${metadata.namespace}/` : "";
    return `${kind} ${namespace}${metadata.name} at ${place.document}.${place.item ?? 0}:${place.line ?? 0}`;
  });
}

const HEAD = "apiVersion: projectcalico.org/v3\nkind: IPPool\n";
const pool = (name: string): string => `${HEAD}metadata: { name: ${name} }\nspec: { cidr: 10.1.0.0/16 }\n`;

describe("manifests", () => {
  it("are several documents, empty ones among them", () => {
    assert.deepEqual(names(`---\n${pool("a")}---\n# nothing\n---\n${pool("b")}`), [
      "IPPool a at 1.0:2",
      "IPPool b at 3.0:9",
    ]);
  });

  it("are lists of Kubernetes, and lists of a kind", () => {
    const item = (name: string): string =>
      `- { apiVersion: projectcalico.org/v3, kind: IPPool, metadata: { name: ${name} }, spec: { cidr: 10.1.0.0/16 } }\n`;
    const list = (kind: string): string =>
      `apiVersion: v1\nkind: ${kind}\nmetadata: { resourceVersion: "7" }\n`;
    assert.deepEqual(names(`${list("List")}items:\n${item("a")}${item("b")}`), [
      "IPPool a at 1.1:5",
      "IPPool b at 1.2:6",
    ]);
    assert.deepEqual(names(`${list("IPPoolList")}items:\n${item("a")}`), ["IPPool a at 1.1:5"]);
    assert.deepEqual(names(`${list("IPPoolList")}items: []\n---\n${pool("a")}`), ["IPPool a at 2.0:6"]);
  });

  it("are JSON, indented by tabs too", () => {
    const json =
      '{\n\t"apiVersion": "projectcalico.org/v3",\n\t"kind": "Node",\n\t"metadata": {"name": "a"}\n}';
    assert.deepEqual(names(json), ["Node a at 1.0:1"]);
  });

  it("get a namespace where they need one and name none", () => {
    const endpoint =
      "apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: { name: a-cni-c-eth0 }\n" +
      "spec: { orchestrator: cni, node: a, containerID: c, endpoint: eth0, interfaceName: cali0 }\n";
    assert.deepEqual(names(endpoint), ["WorkloadEndpoint default/a-cni-c-eth0 at 1.0:1"]);
  });

  it("are told all their faults, with the line of each", () => {
    const text = [
      `${HEAD}metadata: { name: "A\\n\\"{}" }`,
      "spec:",
      "  cidr: 10.0.0.1/8",
      "  natOutgoing: yes",
      "  allowedUses:",
      "  - Workload",
      "  - Everything",
      "  ipipmode: Always",
      "---",
      "kind: Gadget",
      "---",
      "7",
      "---",
      "a: [1",
    ].join("\n");
    const name = String.raw`IPPool "A\n\"{}"`;
    assert.deepEqual(faults(text), [
      `f.yaml: document 1, line 3: ${name}: metadata.name: want a lower-case RFC 1123 subdomain`,
      `f.yaml: document 1, line 5: ${name}: spec.cidr: Cannot parse prefix "10.0.0.1/8": host bits are set, want "10.0.0.0/8"`,
      `f.yaml: document 1, line 6: ${name}: spec.natOutgoing: Invalid input: expected boolean, received string`,
      `f.yaml: document 1, line 9: ${name}: spec.allowedUses[1]: want "Workload" or "Tunnel" or "LoadBalancer"`,
      `f.yaml: document 1, line 10: ${name}: spec.ipipmode: there is no field "ipipmode"`,
      `f.yaml: document 2, line 12: kind: there is no "Gadget"; want one of ${ALL_KINDS.join(", ")}`,
      "f.yaml: document 3, line 14: want a resource: an object with apiVersion, kind and metadata",
      "f.yaml: document 4, line 16: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ]);
  });

  it("are told the place of a fault inside a list", () => {
    const text = `apiVersion: v1\nkind: List\nextra: 1\nitems:\n- apiVersion: v1\n  kind: IPPool\n  metadata: { name: a }\n  spec: { cidr: 10.1.0.0/16 }\n- 7\n`;
    assert.deepEqual(faults(text), [
      'f.yaml: document 1, line 3: extra: there is no field "extra" in a list',
      'f.yaml: document 1, item 1, line 5: IPPool "a": apiVersion: want "projectcalico.org/v3"',
      "f.yaml: document 1, item 2, line 9: want a resource: an object with apiVersion, kind and metadata",
    ]);
  });

  it("find a field whose name holds dots", () => {
    const text = `${HEAD}metadata:\n  name: a\n  labels:\n    a.b/c: d\n    a.b: 7\nspec: { cidr: 10.1.0.0/16 }\n`;
    assert.deepEqual(faults(text), [
      'f.yaml: document 1, line 7: IPPool "a": metadata.labels.a.b: Invalid input: expected string, received number',
    ]);
  });

  it("do not hold one resource twice", () => {
    assert.deepEqual(faults(`${pool("a")}---\n${pool("a")}`), [
      'f.yaml: document 2, line 6: IPPool "a" is in f.yaml: document 1, line 1 already',
    ]);
  });

  it("are not nothing", () => {
    for (const text of ["", "# nothing\n", "---\n---\n"])
      assert.deepEqual(faults(text), ["f.yaml: document 1: there is no resource in it"]);
  });

  it("do not grow beyond all measure by aliases", () => {
    const bomb = Array.from({ length: 9 }, (_, level) => {
      const of = level === 0 ? "x" : `*l${level - 1}`;
      return `l${level}: &l${level} [${Array(9).fill(of).join(", ")}]`;
    });
    assert.match(faults(bomb.join("\n"))[0] ?? "", /^f\.yaml: document 1: not YAML: Excessive alias count/);
  });
});
