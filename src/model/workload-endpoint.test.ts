// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNodeName } from "./name.ts";
import { formatIssues, parseResource } from "./resource.ts";
import {
  type EndpointIdentity,
  parseWorkloadEndpointName,
  workloadEndpointName,
} from "./workload-endpoint.ts";

function makeIdentity(change: Partial<EndpointIdentity> = {}): EndpointIdentity {
  return {
    node: parseNodeName("host1"),
    orchestrator: "cni",
    containerID: "0af9",
    endpoint: "eth0",
    ...change,
  };
}

function makeValue(name: string, spec: object = {}): unknown {
  return {
    apiVersion: "projectcalico.org/v3",
    kind: "WorkloadEndpoint",
    metadata: { name, namespace: "default", labels: { app: "a" } },
    spec: { ...makeIdentity(), interfaceName: "cali0123456789a", ipNetworks: ["10.1.101.1/32"], ...spec },
  };
}

for (const [identity, name] of [
  [makeIdentity(), "host1-cni-0af9-eth0"],
  [makeIdentity({ orchestrator: "k8s", pod: "web-1" }), "host1-k8s-web--1-eth0"],
  [makeIdentity({ orchestrator: "libnetwork" }), "host1-libnetwork-libnetwork-eth0"],
  [makeIdentity({ orchestrator: "other", workload: "w" }), "host1-other-w-eth0"],
  [makeIdentity({ node: parseNodeName("host-1.example.org") }), "host--1.example.org-cni-0af9-eth0"],
  [makeIdentity({ containerID: "a--b", endpoint: "eth0.1" }), "host1-cni-a----b-eth0.1"],
] as const) {
  test(`the endpoint is named ${name}, and the name gives its parts back`, () => {
    assert.equal(workloadEndpointName(identity), name);
    const parts = parseWorkloadEndpointName(name);
    assert.equal(parts?.node, identity.node);
    assert.equal(parts.orchestrator, identity.orchestrator);
    assert.equal(parts.endpoint, identity.endpoint);
  });
}

test("different endpoints never have one name", () => {
  const parts = ["a", "b", "a-b", "a--b", "b-a", "a-b-a"];
  const names = parts.flatMap((containerID) =>
    parts.map((endpoint) => workloadEndpointName(makeIdentity({ containerID, endpoint }))),
  );
  assert.equal(new Set(names).size, parts.length ** 2);
});

for (const change of [
  { containerID: "" },
  { containerID: "a-" },
  { containerID: "-a" },
  { containerID: "a/b" },
  { endpoint: "eth0-" },
  { endpoint: "e h" },
  { orchestrator: "other" },
  { containerID: "a".repeat(250) },
]) {
  test(`no name is made of ${JSON.stringify(change).slice(0, 40)}`, () => {
    assert.throws(() => workloadEndpointName(makeIdentity(change)), SyntaxError);
  });
}

for (const name of [
  "",
  "host1",
  "host1-cni-c1",
  "host1-cni-c1-eth0-x",
  "host1--cni-c1-eth0",
  "a-b-c-",
  "a-b-c-d/e",
]) {
  test(`"${name}" is no endpoint's name`, () => {
    assert.equal(parseWorkloadEndpointName(name), undefined);
  });
}

test("an endpoint with the name of its parts is accepted", () => {
  const parsed = parseResource(
    "WorkloadEndpoint",
    makeValue("host1-cni-0af9-eth0", { mac: "EE:EE:EE:EE:EE:EE" }),
  );
  assert.ok(parsed.kind === "ok");
  assert.equal(parsed.value.spec.mac, "ee:ee:ee:ee:ee:ee");
  assert.deepEqual(parsed.value.spec.ipNetworks, ["10.1.101.1/32"]);
});

test("an address without its length is a host's", () => {
  const parsed = parseResource(
    "WorkloadEndpoint",
    makeValue("host1-cni-0af9-eth0", { ipNetworks: ["10.1.101.1", "fd00::1"] }),
  );
  assert.ok(parsed.kind === "ok");
  assert.deepEqual(parsed.value.spec.ipNetworks, ["10.1.101.1/32", "fd00::1/128"]);
});

for (const [value, fault] of [
  [makeValue("host1-cni-other-eth0"), 'metadata.name: want "host1-cni-0af9-eth0"'],
  [
    makeValue("host1-cni-0af9-eth0", { ipNetworks: ["10.1.0.0/26"] }),
    'spec.ipNetworks[0]: Cannot use "10.1.0.0/26": want one address, "10.1.0.0"',
  ],
  [
    makeValue("host1-cni-0af9-eth0", { node: "Host1" }),
    'spec.node: Cannot use node name "Host1": want a lower-case RFC 1123 subdomain',
  ],
  [
    makeValue("host1-cni-0af9-eth0", { interfaceName: "a/b" }),
    'spec.interfaceName: Cannot use interface name "a/b": the characters "/", ":" and "%" are not allowed',
  ],
  [makeValue("host1-cni-0af9-eth0", { containerID: "a-" }), "metadata.name: want a name its parts can form"],
] as const) {
  test(`an endpoint is refused: ${fault}`, () => {
    const parsed = parseResource("WorkloadEndpoint", value);
    assert.ok(parsed.kind === "invalid");
    assert.equal(formatIssues(parsed.issues), fault);
  });
}
