// SPDX-License-Identifier: Apache-2.0
import type { NodeDifferences } from "../../agent/answers.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { Known } from "../observation.ts";

type Difference = NodeDifferences["differences"][number];

/** Kinds that are looked at in one way. */
interface Group {
  readonly lookedAt: string;
  /** Each with what becomes of packets where it is amiss; `undefined` where that depends on the object. */
  readonly kinds: Readonly<Record<string, string | undefined>>;
}

const BY_RTNETLINK: Group = {
  lookedAt: "links, MTUs, settings, addresses, neighbours, rules, routes",
  kinds: {},
};
const GUARD = "without it whole, tunnels may take packets from others than nodes";
/** What agents look at that tell of what they could not look at. */
const MORE: readonly Group[] = [
  {
    lookedAt: "tables of nftables",
    kinds: {
      guard: GUARD,
      guard6: GUARD,
      source:
        "without it whole, containers may send from addresses that are not theirs, or lose what they send",
      nat: "without it whole, what containers send out of the cluster is not answered, or what they send within it is translated",
    },
  },
  {
    lookedAt: "IPIP programs",
    kinds: { ipip: "without them whole, packets inside IPIP are lost, or taken from others than nodes" },
  },
  {
    lookedAt: "WireGuard device and peers",
    kinds: {
      wireguard: "without it right, no node takes what this one encrypts",
      peer: "without it right, what is encrypted between the two nodes is lost, or goes elsewhere",
    },
  },
];

const STATES: Readonly<Record<Difference["state"], string>> = {
  missing: "it is missing",
  wrong: "it is not as it should be",
  foreign: "it is there, and nothing wants it",
  waiting: "it cannot be made yet",
};

/** What the agent would do that read the kernel afresh. */
export function judgeDifferences(known: Known<NodeDifferences>): readonly Check[] {
  if (known.kind === "unknown")
    return [BY_RTNETLINK, ...MORE].map((group) => checkedIn(group).skipped(known.reason));
  const { differences, unseen } = known.value;
  const own = withoutEchoes(differences);
  const others = own.filter(({ kind }) => !MORE.some(({ kinds }) => Object.hasOwn(kinds, kind)));
  return [
    ...judgeGroup(BY_RTNETLINK, others, []),
    ...MORE.flatMap((group) => {
      const isOf = ({ kind }: { readonly kind: string }): boolean => Object.hasOwn(group.kinds, kind);
      if (unseen === undefined)
        return [checkedIn(group).skipped("this version of the agent does not look at it")];
      return judgeGroup(group, own.filter(isOf), unseen.filter(isOf));
    }),
  ];
}

/** What rests on an interface waits with it, in the same words. */
function withoutEchoes(differences: readonly Difference[]): readonly Difference[] {
  const waiting = new Set(
    differences.filter(({ kind, state }) => kind === "link" && state === "waiting").map(({ what }) => what),
  );
  return differences.filter(({ kind, what }) => kind === "link" || !waiting.has(what));
}

function judgeGroup(
  group: Group,
  differences: readonly Difference[],
  unseen: NonNullable<NodeDifferences["unseen"]>,
): readonly Check[] {
  return orWell(
    [
      ...differences.map((difference) => judgeDifference(difference, group.kinds[difference.kind])),
      ...unseen.map(({ kind, reason }) => subject(`desired ${kind}`, group.lookedAt).skipped(reason)),
    ],
    checkedIn(group).ok("the kernel is as the agent wants it"),
  );
}

function judgeDifference({ kind, key, state, what }: Difference, effect: string | undefined): Check {
  return subject(`desired ${kind}`, key).fault(
    `${STATES[state]}: ${what}${effect === undefined ? "" : `; ${effect}`}`,
    kind === "link" && state === "waiting"
      ? "its container has a record and no interface: have the runtime remove the container (DEL), or restart the agent, which then gives back what has not outlived the node"
      : 'the agent repairs this by itself; where it stays so, "margay node status" and the agent\'s log say why',
  );
}

function checkedIn({ lookedAt }: Group): ReturnType<typeof subject> {
  return subject("desired state", lookedAt);
}
