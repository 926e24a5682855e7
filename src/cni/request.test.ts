// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CniError } from "./error.ts";
import { type RawCniRequest, parseCniRequest } from "./request.ts";

const ENVIRONMENT = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "a1b2",
  CNI_NETNS: "/run/netns/a",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "",
  CNI_PATH: "/opt/cni/bin",
};
const CONFIG = {
  cniVersion: "1.0.0",
  name: "margay",
  type: "margay-cni",
  agentSocket: "/run/margay/agent.sock",
};

function request(environment: Record<string, string> = {}, config: object = {}): RawCniRequest {
  return { environment: { ...ENVIRONMENT, ...environment }, config: { ...CONFIG, ...config } };
}

describe("parseCniRequest() takes a good call", () => {
  it("and gives its parts", () => {
    const parsed = parseCniRequest(request());
    assert.deepEqual(
      { command: parsed.command, cniVersion: parsed.cniVersion, id: parsed.id, netns: parsed.netns },
      {
        command: "ADD",
        cniVersion: "1.0.0",
        id: { network: "margay", containerId: "a1b2", ifName: "eth0" },
        netns: "/run/netns/a",
      },
    );
  });

  it("of DEL without a namespace", () => {
    assert.equal(parseCniRequest(request({ CNI_COMMAND: "DEL", CNI_NETNS: "" })).netns, undefined);
  });

  it("in a namespace that CNI_ARGS name, among other arguments", () => {
    const namespaceOf = (CNI_ARGS: string, CNI_COMMAND = "ADD") =>
      parseCniRequest(request({ CNI_ARGS, CNI_COMMAND })).namespace;
    const kubernetes =
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=y;K8S_POD_INFRA_CONTAINER_ID=a1b2";
    assert.equal(namespaceOf(kubernetes), "blue");
    assert.equal(namespaceOf("K8S_POD_NAMESPACE=My_ns.1"), "My_ns.1");
    for (const none of ["", "IgnoreUnknown=1", "K8S_POD_NAMESPACE="])
      assert.equal(namespaceOf(none), undefined, none);
    assert.equal(namespaceOf("frob", "DEL"), undefined);
  });

  it("with the pools that Calico's keys name", () => {
    const ipam = {
      type: "calico-ipam",
      assign_ipv4: "true",
      assign_ipv6: "false",
      ipv4_pools: ["10.1.0.0/16", "a"],
      ipv6_pools: [],
    };
    const parsed = parseCniRequest(request({}, { ipam })).config.ipam;
    assert.deepEqual(parsed?.ipv4_pools, [
      { kind: "cidr", cidr: "10.1.0.0/16" },
      { kind: "name", name: "a" },
    ]);
    assert.deepEqual(parseCniRequest(request({}, { ipam: {} })).config.ipam, {});
  });

  it("with every key of the specification", () => {
    const config = {
      dns: { nameservers: ["10.1.0.1"] },
      capabilities: { mac: true },
      runtimeConfig: {},
      args: {},
      disableCheck: true,
    };
    assert.deepEqual(parseCniRequest(request({}, config)).config.dns, { nameservers: ["10.1.0.1"] });
  });
});

describe("parseCniRequest() refuses with the specification's code", () => {
  const rows: readonly (readonly [what: string, raw: RawCniRequest, code: number, message: RegExp])[] = [
    ["an unknown command", request({ CNI_COMMAND: "FROB" }), 4, /CNI_COMMAND "FROB"/],
    ["a missing container ID", request({ CNI_CONTAINERID: "" }), 4, /CNI_CONTAINERID not set/],
    [
      "several missing variables",
      request({ CNI_IFNAME: "", CNI_NETNS: "" }),
      4,
      /CNI_NETNS, CNI_IFNAME not set/,
    ],
    ["a container ID with a slash", request({ CNI_CONTAINERID: "../x" }), 4, /CNI_CONTAINERID "\.\.\/x"/],
    ["an interface name that is too long", request({ CNI_IFNAME: "sixteen-letters-" }), 4, /at most 15/],
    ["an interface name with a slash", request({ CNI_IFNAME: "a/b" }), 4, /not allowed/],
    ["an interface name with a space", request({ CNI_IFNAME: "a b" }), 4, /spaces/],
    ["an interface name that is a path", request({ CNI_IFNAME: ".." }), 4, /path/],
    ["a relative namespace", request({ CNI_NETNS: "netns/a" }), 4, /absolute path/],
    ["an unknown version", request({}, { cniVersion: "9.9.9" }), 1, /"9\.9\.9".*0\.4\.0, 1\.0\.0/],
    ["a missing version", request({}, { cniVersion: undefined }), 7, /cniVersion/],
    ["an unknown key", request({}, { frob: { x: 1 } }), 2, /"frob" with value \{"x":1\}/],
    ["an unknown key inside", request({}, { dns: { frob: 1 } }), 2, /"dns\.frob" with value 1/],
    ["a network name with a slash", request({}, { name: "a/b" }), 7, /name: must start/],
    [
      "an argument without value",
      request({ CNI_ARGS: "IgnoreUnknown=1;frob" }),
      4,
      /"frob" of CNI_ARGS: want NAME=value/,
    ],
    ["an argument without name", request({ CNI_ARGS: "=x" }), 4, /"=x" of CNI_ARGS/],
    ["an argument with two values", request({ CNI_ARGS: "a=b=c" }), 4, /"a=b=c" of CNI_ARGS/],
    ["an end that nothing follows", request({ CNI_ARGS: "a=b;" }), 4, /"" of CNI_ARGS/],
    [
      "an argument that is there twice",
      request({ CNI_ARGS: "a=b;a=c" }),
      4,
      /"a=c" of CNI_ARGS: it is there twice/,
    ],
    [
      "a namespace that is none",
      request({ CNI_ARGS: "K8S_POD_NAMESPACE=a/b" }),
      4,
      /K8S_POD_NAMESPACE "a\/b"/,
    ],
    [
      "another IPAM plugin",
      request({}, { ipam: { type: "host-local" } }),
      7,
      /ipam\.type: want "calico-ipam", or none/,
    ],
    ["an unknown key of IPAM", request({}, { ipam: { subnet: "x" } }), 2, /"ipam\.subnet" with value "x"/],
    [
      "a pool's name that is none",
      request({}, { ipam: { ipv4_pools: ["A"] } }),
      7,
      /ipam\.ipv4_pools\.0: Cannot use "A"/,
    ],
    [
      "a pool's prefix with host bits",
      request({}, { ipam: { ipv4_pools: ["10.1.0.1/16"] } }),
      7,
      /host bits are set/,
    ],
    ["IPv6 addresses", request({}, { ipam: { assign_ipv6: "true" } }), 7, /ipam\.assign_ipv6: want "false"/],
    ["no IPv4 address", request({}, { ipam: { assign_ipv4: "false" } }), 7, /ipam\.assign_ipv4: want "true"/],
    ["masquerading", request({}, { ipMasq: true }), 7, /ipMasq/],
    ["ADD with a previous result", request({}, { prevResult: {} }), 7, /first in its chain/],
    ["CHECK without one", request({ CNI_COMMAND: "CHECK" }), 7, /no prevResult/],
    ["a configuration that is no object", { environment: ENVIRONMENT, config: [] }, 7, /configuration/],
  ];
  for (const [what, raw, code, message] of rows) {
    it(what, () => {
      assert.throws(
        () => parseCniRequest(raw),
        (error) => error instanceof CniError && error.code === code && message.test(error.message),
      );
    });
  }
});
