// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus } from "../../agent/answers.ts";
import { type Finding, describeFinding } from "../../ipam/check.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { ClusterSeen, Known, NodeRecord } from "../observation.ts";

/** What nodes do not agree on; but for the nodes that `statuses` are of, the same wherever it is asked. */
export function judgeCluster(known: Known<ClusterSeen>, statuses: readonly NodeStatus[]): readonly Check[] {
  if (known.kind === "unknown") return [subject("datastore", "what is stored").skipped(known.reason)];
  const { ipam, nodes } = known.value;
  return [
    ...judgeAddresses(nodes),
    ...judgeNames(nodes, statuses),
    ...judgeIpam(ipam),
    judgeVersions(nodes),
    ...judgeClock(known.value),
  ];
}

function judgeAddresses(nodes: readonly NodeRecord[]): readonly Check[] {
  const holders = Map.groupBy(
    nodes.flatMap(({ name, addresses }) => addresses.map((ip) => ({ name, ip }))),
    ({ ip }) => ip,
  );
  const shared = [...holders].filter(([, all]) => all.length > 1);
  const without = nodes.filter(({ addresses }) => addresses.length === 0);
  return orWell(
    [
      ...shared.map(([ip, all]) =>
        subject("node address", ip).fault(
          `several nodes have it: ${all.map(({ name }) => name).join(", ")}`,
          'give each machine its own ("address" in the agent\'s configuration) and restart its agent; the record of a node that is gone for good goes with "margay delete node NAME"',
        ),
      ),
      ...without.map(({ name }) =>
        subject("node address", name).warning(
          "it has none: nothing can be routed to it",
          `start its agent; if the node is gone for good, "margay delete node ${name}"`,
        ),
      ),
    ],
    subject("node address", `${nodes.length} nodes`).ok("each has its own"),
  );
}

/** Agents that take their nodes for the same one overwrite each other's record. */
function judgeNames(nodes: readonly NodeRecord[], statuses: readonly NodeStatus[]): readonly Check[] {
  return statuses.map(({ nodeName: name, address: own }) => {
    const address = own?.current.split("/")[0];
    const checked = subject("node name", name);
    const recorded = nodes.find((node) => node.name === name);
    if (recorded === undefined)
      return checked.fault(
        "it has no record: other nodes do not know of it",
        "restart its agent, which records it",
      );
    if (address === undefined || recorded.addresses.some((ip) => ip === address))
      return checked.ok("its record is its own");
    return checked.fault(
      `its record has ${recorded.addresses.join(", ") || "no address"}, and its own is ${address}: another machine has the same name, or somebody has changed the record`,
      'give each machine a name of its own ("nodeName" in the agent\'s configuration) and restart its agent',
    );
  });
}

/** Packets may go to the wrong container; the others cost addresses. */
const IPAM_FAULTS: readonly Finding["kind"][] = ["notAllocated", "severalOwners", "overlappingBlocks"];

const IPAM_ADVICE: Readonly<Record<Finding["kind"], string>> = {
  leaked:
    'agents give it back by themselves in a while; at once: "margay ipam check -o FILE", then "margay ipam release --from-report FILE"',
  notAllocated: "make the container anew, so that its address is allocated",
  outsidePools: "enable the pool again, or make the container anew, so that it has an address of one that is",
  severalOwners: "make all but one of them anew",
  handleMissing: "make the container anew; its addresses come back then",
  handleMiscounts: "make the container anew; its addresses come back then",
  claimWithoutBlock: "restart that node's agent, which takes up or gives up the block",
  blockWithoutClaim: "restart that node's agent, which takes up or gives up the block",
  overlappingBlocks: "pools overlap, or did: move the containers out of one of the blocks",
  unreadable: "correct what is stored there, or delete it",
};

function judgeIpam({ inventory, findings }: ClusterSeen["ipam"]): readonly Check[] {
  const checked = subject("IPAM", "allocations against use");
  return orWell(
    findings.map((finding) => {
      const [reason, advice] = [describeFinding(finding), IPAM_ADVICE[finding.kind]];
      const found = subject("IPAM", subjectOf(finding));
      return IPAM_FAULTS.includes(finding.kind) ? found.fault(reason, advice) : found.warning(reason, advice);
    }),
    checked.ok(`${inventory.uses.length} addresses in use, ${inventory.blocks.size} blocks`),
  );
}

function subjectOf(finding: Finding): string {
  if ("ip" in finding) return finding.ip;
  if ("handleId" in finding) return finding.handleId;
  return "block" in finding ? finding.block : finding.key;
}

/** Nodes that are not Margay's say none. */
function judgeVersions(nodes: readonly NodeRecord[]): Check {
  const said = nodes.flatMap(({ name, version }) => (version === undefined ? [] : [{ name, version }]));
  const byVersion = Map.groupBy(said, ({ version }) => version);
  const checked = subject("version", "agents of all nodes");
  const [only] = byVersion.keys();
  if (byVersion.size <= 1) return checked.ok(only ?? "none has said its own");
  const named = [...byVersion].map(
    ([version, all]) => `${version}: ${all.map(({ name }) => name).join(", ")}`,
  );
  return checked.warning(
    `they differ (${named.join("; ")})`,
    "update the nodes one after the other; that is all right while it lasts, and not for good",
  );
}

/** Less is the time that passes between two reads, and what clocks differ by that are kept in step. */
const MOST_AHEAD_MS = 60_000;

/** Of this node's clock only that it is slow can be seen: what others have written then comes from its future. */
function judgeClock({ fromTheFuture }: ClusterSeen): readonly Check[] {
  const checked = subject("clock", "times of what is stored");
  const worst = fromTheFuture.toSorted((a, b) => b.aheadMs - a.aheadMs)[0];
  if (worst === undefined || worst.aheadMs < MOST_AHEAD_MS)
    return [checked.ok("nothing is from this node's future")];
  return [
    checked.warning(
      `${worst.key} was written ${Math.round(worst.aheadMs / 1000)} s after this node's now: one of the clocks is wrong`,
      "keep all nodes' clocks in step by NTP (chronyd, systemd-timesyncd)",
    ),
  ];
}
