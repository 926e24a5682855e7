// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CniError } from "./error.ts";
import { type CniCommand, type CniRequest, type RawCniRequest, parseCniRequest } from "./request.ts";
import type { Wish } from "./wish.ts";

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

function parseAs<Command extends CniCommand>(
  command: Command,
  environment: Record<string, string> = {},
  config: object = {},
): Extract<CniRequest, { command: Command }> {
  const parsed = parseCniRequest(request({ CNI_COMMAND: command, ...environment }, config));
  assert.equal(parsed.command, command);
  return parsed as Extract<CniRequest, { command: Command }>;
}

const wishOf = (config: object, CNI_ARGS = ""): Wish => parseAs("ADD", { CNI_ARGS }, config).wish;
const annotated = (annotations: object): object => ({
  runtimeConfig: { "io.kubernetes.cri.pod-annotations": annotations },
});

describe("parseCniRequest() takes a good call", () => {
  it("and gives its parts", () => {
    const { cniVersion, id, netns } = parseAs("ADD");
    assert.deepEqual(
      { cniVersion, id, netns },
      {
        cniVersion: "1.0.0",
        id: { network: "margay", containerId: "a1b2", ifName: "eth0" },
        netns: "/run/netns/a",
      },
    );
  });

  it("of DEL without a namespace, and whatever else ADD would refuse", () => {
    const config = { ipam: { type: "host-local" }, runtimeConfig: { mac: "frob" }, frob: 1 };
    assert.equal(parseAs("DEL", { CNI_NETNS: "", CNI_ARGS: "frob" }, config).netns, undefined);
  });

  it("without a version, which is of the first", () => {
    assert.equal(parseAs("ADD", {}, { cniVersion: undefined }).cniVersion, "0.1.0");
  });

  it("in a namespace that CNI_ARGS name, among other arguments", () => {
    const kubernetes =
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=blue;K8S_POD_NAME=y;K8S_POD_INFRA_CONTAINER_ID=a1b2";
    assert.equal(wishOf({}, kubernetes).namespace, "blue");
    assert.equal(wishOf({}, "K8S_POD_NAMESPACE=My_ns.1").namespace, "My_ns.1");
    for (const none of ["", "IgnoreUnknown=1", "K8S_POD_NAMESPACE="])
      assert.equal(wishOf({}, none).namespace, undefined, none);
  });

  it("with the pools that Calico's keys name, or closer to the container its annotations", () => {
    const ipam = {
      type: "calico-ipam",
      assign_ipv4: "true",
      assign_ipv6: "false",
      ipv4_pools: ["10.1.0.0/16", "a"],
      ipv6_pools: [],
    };
    assert.deepEqual(wishOf({ ipam }).ipv4Pools, [
      { kind: "cidr", cidr: "10.1.0.0/16" },
      { kind: "name", name: "a" },
    ]);
    assert.equal(wishOf({ ipam: {} }).ipv4Pools, undefined);
    const annotations = annotated({ "cni.projectcalico.org/ipv4pools": '["b"]' });
    assert.deepEqual(wishOf({ ipam, ...annotations }).ipv4Pools, [{ kind: "name", name: "b" }]);
  });

  it("with the address that the closest to the container asks for", () => {
    const ways: readonly (readonly [config: object, args: string, ips: readonly string[]])[] = [
      [{}, "", []],
      [annotated({ "cni.projectcalico.org/ipAddrs": '["10.1.0.4"]' }), "", ["10.1.0.4"]],
      [annotated({ "cni.projectcalico.org/ipAddrs": '["10.1.0.4"]' }), "IP=10.1.0.3", ["10.1.0.3"]],
      [{ args: { cni: { ips: ["10.1.0.2"] } } }, "IP=10.1.0.3", ["10.1.0.2"]],
      [
        { args: { cni: { ips: ["10.1.0.2"] } }, runtimeConfig: { ips: ["10.1.0.1/24", "fd00::1"] } },
        "",
        ["10.1.0.1", "fd00::1"],
      ],
    ];
    for (const [config, args, ips] of ways) assert.deepEqual(wishOf(config, args).ips, ips);
  });

  it("with the MAC address that the closest to the container asks for", () => {
    const annotations = annotated({ "cni.projectcalico.org/hwAddr": "02:00:00:00:00:0A" });
    assert.equal(wishOf({}).mac, undefined);
    assert.equal(wishOf(annotations).mac, "02:00:00:00:00:0a");
    assert.equal(wishOf(annotations, "MAC=02:00:00:00:00:0b").mac, "02:00:00:00:00:0b");
    const runtimeConfig = { mac: "02:00:00:00:00:0c" };
    assert.equal(wishOf({ runtimeConfig }, "MAC=02:00:00:00:00:0b").mac, "02:00:00:00:00:0c");
  });

  it("with addresses of the families that its annotation names, whatever the network says", () => {
    const familiesFor = (text: string): unknown =>
      wishOf({ ...annotated({ "cni.projectcalico.org/ipFamilies": text }), ipam: { assign_ipv6: "true" } })
        .families;
    assert.deepEqual(familiesFor('["IPv6"]'), [6]);
    assert.deepEqual(familiesFor('["IPv6","IPv4"]'), [4, 6]);
    for (const text of ["[]", '["IPv5"]', '["IPv4","IPv4"]', "IPv4"])
      assert.throws(() => familiesFor(text), /ipFamilies/, text);
  });

  it("with the runtime's servers of names, in place of the network's", () => {
    const dns = { nameservers: ["10.1.0.1"], domain: "x" };
    const runtimeConfig = { dns: { servers: ["10.1.0.2"], searches: ["y"], options: ["ndots:5"] } };
    assert.deepEqual(wishOf({ dns }).dns, dns);
    assert.deepEqual(wishOf({ dns, runtimeConfig }).dns, {
      nameservers: ["10.1.0.2"],
      domain: "x",
      search: ["y"],
      options: ["ndots:5"],
    });
  });

  it("as containerd writes it, with Go's names of fields and its nulls", () => {
    const runtimeConfig = {
      "io.kubernetes.cri.pod-annotations": null,
      dns: { Servers: ["10.1.0.2"], Searches: null, Options: null },
      portMappings: [{ HostPort: 80, ContainerPort: 80, Protocol: "tcp", HostIP: "" }],
    };
    const { ips, dns } = wishOf({ runtimeConfig });
    assert.deepEqual([ips, dns], [[], { nameservers: ["10.1.0.2"] }]);
  });

  it("with every key of the specification, and what is for other plugins of the chain", () => {
    const config = {
      dns: { nameservers: ["10.1.0.1"] },
      capabilities: { mac: true },
      runtimeConfig: { portMappings: [{ hostPort: 80 }], bandwidth: {}, aliases: {} },
      args: { cni: { labels: [{ key: "a", value: "b" }] }, other: 1 },
      disableCheck: true,
    };
    assert.deepEqual(wishOf({ ...config, ...{} }).dns, { nameservers: ["10.1.0.1"] });
    assert.deepEqual(wishOf(annotated({ "cni.projectcalico.org/podIP": "10.1.0.9/32", other: "x" })).ips, []);
  });

  it("of GC, and leaves out attachments that cannot be this plugin's", () => {
    const valid = [
      { containerID: "a", ifname: "eth0" },
      { containerID: "../a", ifname: "eth0" },
      { containerID: "b", ifname: "net1", more: 1 },
    ];
    const config = { cniVersion: "1.1.0", "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid };
    assert.deepEqual(parseAs("GC", { CNI_CONTAINERID: "", CNI_IFNAME: "" }, config).valid, [
      { network: "margay", containerId: "a", ifName: "eth0" },
      { network: "margay", containerId: "b", ifName: "net1" },
    ]);
  });

  it("of STATUS", () => {
    const config = { cniVersion: "1.1.0", ipam: { ipv4_pools: ["a"] } };
    assert.equal(parseAs("STATUS", { CNI_CONTAINERID: "" }, config).wish.ipv4Pools?.length, 1);
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
    ["an unknown version", request({}, { cniVersion: "9.9.9" }), 1, /"9\.9\.9".*0\.1\.0, .*, 1\.1\.0/],
    [
      "CHECK of a version without",
      request({ CNI_COMMAND: "CHECK" }, { cniVersion: "0.3.1" }),
      1,
      /"CHECK" with cniVersion "0\.3\.1": it came with 0\.4\.0/,
    ],
    [
      "GC of a version without",
      request({ CNI_COMMAND: "GC" }, { "cni.dev/valid-attachments": [] }),
      1,
      /came with 1\.1\.0/,
    ],
    [
      "GC without a list of attachments",
      request({ CNI_COMMAND: "GC" }, { cniVersion: "1.1.0" }),
      7,
      /cni\.dev\/valid-attachments: /,
    ],
    ["STATUS of a version without", request({ CNI_COMMAND: "STATUS" }), 1, /came with 1\.1\.0/],
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
      /K8S_POD_NAMESPACE of CNI_ARGS: "a\/b"/,
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
    ["no address at all", request({}, { ipam: { assign_ipv4: "false" } }), 7, /want "true" for one of them/],
    ["an address for nobody", request({}, { ipam: { assign_ipv6: true } }), 7, /ipam\.assign_ipv6: /],
    ["masquerading", request({}, { ipMasq: true }), 7, /ipMasq/],
    [
      "two addresses of a family",
      request({}, { runtimeConfig: { ips: ["10.1.0.1", "10.1.0.2"] } }),
      7,
      /one of a family/,
    ],
    ["an address that is none", request({}, { args: { cni: { ips: ["10.1.0"] } } }), 7, /args\.cni\.ips\.0/],
    ["an argument's address that is none", request({ CNI_ARGS: "IP=frob" }), 4, /IP of CNI_ARGS: .*"frob"/],
    [
      "a group's MAC address",
      request({}, { runtimeConfig: { mac: "01:00:5e:00:00:01" } }),
      7,
      /no single interface/,
    ],
    ["the gateway's MAC address", request({ CNI_ARGS: "MAC=ee:ee:ee:ee:ee:ee" }), 4, /it is the gateway's/],
    [
      "ranges of addresses",
      request({}, { runtimeConfig: { ipRanges: [] } }),
      7,
      /ipRanges: addresses come from IPPools/,
    ],
    [
      "annotations that are no JSON",
      request({}, annotated({ "cni.projectcalico.org/ipAddrs": "10.1.0.4" })),
      7,
      /want JSON/,
    ],
    [
      "annotations of what is not done",
      request({}, annotated({ "cni.projectcalico.org/floatingIPs": "[]" })),
      7,
      /not done here/,
    ],
    ["a previous result that is none", request({}, { prevResult: { ips: 1 } }), 7, /prevResult\.ips/],
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
