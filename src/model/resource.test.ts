// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { effectiveFelixSpec } from "./felix-configuration.ts";
import {
  type Issue,
  type Kind,
  ResourceError,
  type Resources,
  formatIssues,
  isKind,
  parseResource,
  parseStoredResource,
  unwrap,
} from "./resource.ts";

function makeValue(kind: string, spec: unknown, name = "default"): Readonly<Record<string, unknown>> {
  return { apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec };
}

function specOf<K extends Kind>(kind: K, spec: unknown): Resources[K]["spec"] {
  return unwrap(parseResource(kind, makeValue(kind, spec)), kind).spec;
}

function issuesOf(kind: Kind, value: unknown): readonly Issue[] {
  const parsed = parseResource(kind, value);
  return parsed.kind === "invalid" ? parsed.issues : assert.fail("it was accepted");
}

/** The faults of a spec, as a person reads them. */
function faultsOf(kind: Kind, spec: unknown): string {
  return formatIssues(issuesOf(kind, makeValue(kind, spec)));
}

test("an IP pool has Calico's defaults", () => {
  const defaults = {
    ipipMode: "Never",
    vxlanMode: "Never",
    natOutgoing: false,
    disabled: false,
    disableBGPExport: false,
    nodeSelector: "all()",
    allowedUses: ["Workload", "Tunnel"],
    assignmentMode: "Automatic",
  };
  assert.deepEqual(specOf("IPPool", { cidr: "10.1.0.0/16" }), {
    cidr: "10.1.0.0/16",
    ...defaults,
    blockSize: 26,
  });
  assert.deepEqual(specOf("IPPool", { cidr: "FD00::/64" }), {
    cidr: "fd00::/64",
    ...defaults,
    blockSize: 122,
  });
});

for (const [spec, faults] of [
  [{}, "spec.cidr: it is required"],
  [
    { cidr: "10.1.0.1/16" },
    'spec.cidr: Cannot parse prefix "10.1.0.1/16": host bits are set, want "10.1.0.0/16"',
  ],
  [{ cidr: "10.1.0.0/16", blockSize: 19 }, "spec.blockSize: want 20 to 32"],
  [{ cidr: "10.1.0.0/16", blockSize: 33 }, "spec.blockSize: want 20 to 32"],
  [{ cidr: "fd00::/64", blockSize: 115 }, "spec.blockSize: want 116 to 128"],
  [{ cidr: "10.1.0.0/27" }, 'spec.blockSize: a block of /26 is larger than the pool "10.1.0.0/27"'],
  [
    { cidr: "10.1.0.0/16", ipipMode: "Always", vxlanMode: "CrossSubnet" },
    "spec.vxlanMode: a pool has one encapsulation: ipipMode is set too",
  ],
  [{ cidr: "fd00::/64", ipipMode: "Always" }, "spec.ipipMode: IPIP carries IPv4 only"],
  [{ cidr: "10.1.0.0/16", ipipMode: "always" }, 'spec.ipipMode: want "Never" or "Always" or "CrossSubnet"'],
  [
    { cidr: "10.1.0.0/16", nodeSelector: "zone" },
    'spec.nodeSelector: Cannot parse selector "zone": want an operator at character 5',
  ],
  [
    { cidr: "10.1.0.0/16", allowedUses: ["LoadBalancer", "Workload"] },
    "spec.allowedUses: LoadBalancer excludes the other uses",
  ],
  [{ cidr: "10.1.0.0/16", natOutGoing: true }, 'spec.natOutGoing: there is no field "natOutGoing"'],
] as const) {
  test(`an IP pool with ${JSON.stringify(spec)} is refused: ${faults}`, () => {
    assert.equal(faultsOf("IPPool", spec), faults);
  });
}

test("a pool may be one block, and a block one address", () => {
  assert.equal(specOf("IPPool", { cidr: "10.1.0.0/26" }).blockSize, 26);
  assert.equal(specOf("IPPool", { cidr: "10.1.0.1/32", blockSize: 32 }).blockSize, 32);
});

test("unknown fields are named with their paths, at every depth", () => {
  const value = {
    apiVersion: "projectcalico.org/v3",
    kind: "Node",
    metadata: { name: "host1", label: {} },
    spec: { bgp: { asNumbre: 1 }, orchRefs: [{ orchestrator: "k8s", x: 1 }] },
    extra: 1,
  };
  assert.deepEqual(
    issuesOf("Node", value).map(({ code, path }) => `${code} ${path}`),
    [
      "unknown-field metadata.label",
      "unknown-field spec.bgp.asNumbre",
      "unknown-field spec.orchRefs[0].x",
      "unknown-field extra",
    ],
  );
});

for (const value of [undefined, null, 1, "Node", [], {}]) {
  test(`${JSON.stringify(value)} is no resource`, () => {
    assert.ok(issuesOf("Node", value).length > 0);
  });
}

test("a resource of another kind or version is refused", () => {
  assert.equal(formatIssues(issuesOf("Node", makeValue("IPPool", {}))), 'kind: want "Node"');
  const old = { apiVersion: "v1", kind: "Node", metadata: { name: "a" }, spec: {} };
  assert.deepEqual(issuesOf("Node", old), [
    { code: "invalid-value", path: "apiVersion", message: 'want "projectcalico.org/v3"' },
  ]);
});

test("names are lower-case subdomains", () => {
  for (const name of ["host1", "host-1.example.org", "1"])
    assert.equal(parseResource("Node", makeValue("Node", {}, name)).kind, "ok");
  for (const name of ["", "Host1", "a/b", "a_b", "a.", "-a"])
    assert.equal(parseResource("Node", makeValue("Node", {}, name)).kind, "invalid", name);
});

test("a kind without required fields needs no spec", () => {
  const value = Object.fromEntries(
    Object.entries(makeValue("FelixConfiguration", {})).filter(([field]) => field !== "spec"),
  );
  const parsed = parseResource("FelixConfiguration", value);
  assert.ok(parsed.kind === "ok");
  assert.deepEqual(parsed.value.spec, {});
});

test("the agent's settings have Calico's defaults, once all who may say something have said it", () => {
  assert.deepEqual(effectiveFelixSpec(undefined, undefined), {
    programClusterRoutes: "Disabled",
    mtuIfacePattern: "^((en|wl|ww|sl|ib)[Pcopsvx].*|(eth|wlan|wwan).*)",
    ipipMTU: 0,
    vxlanMTU: 0,
    vxlanMTUV6: 0,
    wireguardMTU: 0,
    vxlanVNI: 4096,
    vxlanPort: 4789,
    featureDetectOverride: "",
    wireguardEnabled: false,
    wireguardListeningPort: 51820,
    removeExternalRoutes: true,
    deviceRouteProtocol: 3,
    ipv4NormalRoutePriority: 1024,
    natOutgoingExclusions: "IPPoolsOnly",
    logSeverityScreen: "Info",
  });
  const felix = (spec: object) =>
    unwrap(parseResource("FelixConfiguration", makeValue("FelixConfiguration", spec)), "it");
  const forAll = felix({ vxlanMTU: 1400, ipipMTU: 1400, wireguardEnabled: true });
  const { vxlanMTU, ipipMTU, wireguardEnabled, vxlanPort } = effectiveFelixSpec(
    forAll,
    felix({ vxlanMTU: 0, wireguardEnabled: false }),
  );
  assert.deepEqual([vxlanMTU, ipipMTU, wireguardEnabled, vxlanPort], [0, 1400, false, 4789]);
  for (const natPortRange of ["", "0", 0, "2:1", "1:65536", "1-2", "1:2:3", "a"])
    assert.match(faultsOf("FelixConfiguration", { natPortRange }), /^spec\.natPortRange: /);
  assert.match(
    faultsOf("FelixConfiguration", { natOutgoingAddress: "fd00::1" }),
    /^spec\.natOutgoingAddress: /,
  );
  assert.equal(
    faultsOf("FelixConfiguration", { mtuIfacePattern: "(" }),
    "spec.mtuIfacePattern: want a regular expression",
  );
  assert.match(
    faultsOf("FelixConfiguration", { featureDetectOverride: "ChecksumOffloadBroken=yes" }),
    /^spec\.featureDetectOverride: /,
  );
  assert.match(faultsOf("FelixConfiguration", { vxlanPort: 65_536 }), /^spec\.vxlanPort: /);
  for (const mtu of [68, 65_535])
    assert.equal(specOf("FelixConfiguration", { wireguardMTU: mtu }).wireguardMTU, mtu);
  for (const mtu of [-1, 1, 67, 65_536])
    assert.equal(faultsOf("FelixConfiguration", { ipipMTU: mtu }), "spec.ipipMTU: want 0, or 68 to 65535");
});

test("BGP has Calico's defaults, and its values are checked", () => {
  assert.deepEqual(specOf("BGPConfiguration", {}), {
    asNumber: 64512,
    nodeToNodeMeshEnabled: true,
    logSeverityScreen: "Info",
    listenPort: 179,
  });
  assert.match(faultsOf("BGPConfiguration", { asNumber: 0 }), /^spec\.asNumber: /);
  assert.match(faultsOf("BGPConfiguration", { asNumber: 4_294_967_296 }), /^spec\.asNumber: /);
  assert.match(faultsOf("BGPConfiguration", { nodeMeshMaxRestartTime: "2" }), /want a duration/);
  assert.match(
    faultsOf("BGPConfiguration", { communities: [{ name: "a", value: "1" }] }),
    /^spec\.communities\[0\]\.value: /,
  );
});

test("IPAM settings that Calico refuses are refused", () => {
  assert.deepEqual(specOf("IPAMConfig", {}), {
    strictAffinity: false,
    maxBlocksPerHost: 0,
    ipCooldownSeconds: 0,
    autoAllocateBlocks: true,
  });
  assert.equal(
    faultsOf("IPAMConfig", { autoAllocateBlocks: false }),
    "spec.autoAllocateBlocks: it cannot be false unless strictAffinity is true",
  );
  assert.equal(
    faultsOf("IPAMConfig", { maxBlocksPerHost: 3 }),
    "spec.maxBlocksPerHost: it cannot be set unless strictAffinity is true",
  );
  assert.equal(specOf("IPAMConfig", { strictAffinity: true, maxBlocksPerHost: 3 }).maxBlocksPerHost, 3);
  assert.match(
    faultsOf("IPAMConfig", { strictAffinity: true, maxBlocksPerHost: -1 }),
    /^spec\.maxBlocksPerHost: /,
  );
});

test("a node's addresses keep their network's length, and their family", () => {
  const { bgp } = specOf("Node", { bgp: { ipv4Address: "192.168.0.101/24", ipv6Address: "FD00::65/64" } });
  assert.deepEqual(bgp, { ipv4Address: "192.168.0.101/24", ipv6Address: "fd00::65/64" });
  assert.match(
    faultsOf("Node", { bgp: { ipv4Address: "192.168.0.101" } }),
    /^spec\.bgp\.ipv4Address: .*want <address>/,
  );
  assert.match(faultsOf("Node", { bgp: { ipv4Address: "fd00::65/64" } }), /want IPv4$/);
  assert.match(faultsOf("Node", { bgp: { ipv6Address: "192.168.0.101/24" } }), /want IPv6$/);
});

test("a node reports things of its own that are not known here", () => {
  const wireguardPublicKey = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
  const value = { ...makeValue("Node", {}), status: { wireguardPublicKey, later: 1 } };
  const parsed = parseResource("Node", value);
  assert.ok(parsed.kind === "ok");
  assert.deepEqual(parsed.value.status, { wireguardPublicKey, later: 1 });
  assert.equal(parseResource("Node", { ...value, status: { wireguardPublicKey: "k" } }).kind, "invalid");
});

test("an IP reservation lists prefixes", () => {
  assert.deepEqual(specOf("IPReservation", { reservedCIDRs: ["10.1.0.0/30"] }), {
    reservedCIDRs: ["10.1.0.0/30"],
  });
  assert.match(
    faultsOf("IPReservation", { reservedCIDRs: ["10.1.0.0/30", "x"] }),
    /^spec\.reservedCIDRs\[1\]: /,
  );
});

test("what another program stored is read without the fields that are not known here", () => {
  const value = makeValue("FelixConfiguration", { vxlanVNI: 5, bpfEnabled: true, a: [{ b: 1 }] });
  const stored = parseStoredResource("FelixConfiguration", value);
  assert.ok(stored.kind === "ok");
  assert.equal(stored.value.spec.vxlanVNI, 5);
  assert.deepEqual(
    stored.ignored.map(({ path }) => path),
    ["spec.bpfEnabled", "spec.a"],
  );
});

test("what another program stored is refused for every other fault", () => {
  const stored = parseStoredResource("Node", makeValue("Node", { bgp: { asNumber: "x", later: 1 } }));
  assert.ok(stored.kind === "invalid");
  assert.deepEqual(
    stored.issues.map(({ path }) => path),
    ["spec.bgp.asNumber"],
  );
});

test("a parsed resource written as JSON parses to itself", () => {
  const first = unwrap(
    parseResource("IPPool", makeValue("IPPool", { cidr: "FD00::/64", nodeSelector: "a == 'b'" })),
    "pool",
  );
  assert.deepEqual(unwrap(parseResource("IPPool", JSON.parse(JSON.stringify(first))), "pool"), first);
});

test("a fault that cannot be handed back is thrown with all its issues", () => {
  assert.throws(
    () => unwrap(parseResource("IPPool", makeValue("IPPool", {})), 'pool "default"'),
    (error) =>
      error instanceof ResourceError &&
      error.message === 'Cannot use pool "default": spec.cidr: it is required',
  );
});

test("only the names of kinds are kinds", () => {
  assert.equal(isKind("IPPool"), true);
  for (const text of ["ippool", "NoKind", "toString", ""]) assert.equal(isKind(text), false);
});
