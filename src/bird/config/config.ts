// SPDX-License-Identifier: Apache-2.0
import { type Family, type Ip, familyOf } from "../../net/ip.ts";
import { renderFilters } from "./filter.ts";
import { type BirdInput, type BirdPeer, type BirdSession, familiesOf } from "./input.ts";
import { meshProtocolName, renderMesh, renderPeer, renderSession, sessionProtocolName } from "./session.ts";
import { renderInterfaces, renderKernel, renderOwn, renderPools } from "./table.ts";
import { checkRange, compare, quote } from "./text.ts";

export type { BirdFilter, BirdInput, BirdPeer, BirdSession, TunnelledPool } from "./input.ts";
export { meshProtocolName, meshTemplateName, sessionProtocolName } from "./session.ts";
export { renderedPasswords } from "./passwords.ts";
export { quote, quotePassword } from "./text.ts";

const LOG_BYTES = 4 * 1024 * 1024;

/**
 * For how many seconds a restarted BIRD waits for its peers before it drops what they no longer announce. Living
 * peers are back in two; one dead peer delays every announcement, in and out, by the whole time.
 */
const RECOVERY_SECONDS = 15;

/** Renders the configuration for BIRD 2.0.12 and later; throws `RangeError` or `SyntaxError` where a value cannot be one. */
export function renderBirdConfig(input: BirdInput): string {
  checkAddresses(input);
  const sections = [
    renderGlobal(input),
    renderPools(input),
    renderFilters(input),
    renderInterfaces(input),
    renderBfd(input),
    renderOwn(input),
    renderKernel(input),
    ...familiesOf(input).map((family) => renderMesh(input, family)),
    ...sessionTexts(input).values(),
  ];
  return sections
    .map((section) => section.trim())
    .filter((section) => section !== "")
    .map((section) => `${section}\n`)
    .join("\n");
}

/** Every session's own part, by the name of its protocol. */
function sessionTexts(input: BirdInput): ReadonlyMap<string, string> {
  return new Map([
    ...byAddress(input.peers).map(
      (peer) => [meshProtocolName(peer.address), renderPeer(peer, input)] as const,
    ),
    ...byAddress(input.sessions ?? []).map(
      (session) => [sessionProtocolName(session.address), renderSession(session, input)] as const,
    ),
  ]);
}

/**
 * The sessions of the one configuration that may end because of the other, by the addresses of their other ends: what BIRD is told anew of a session, it may begin
 * it anew for, or not; only BIRD knows.
 */
export function interruptedSessions(before: BirdInput, after: BirdInput): readonly Ip[] {
  const [old, next] = [sessionTexts(before), sessionTexts(after)];
  const hasOtherMesh = (family: Family): boolean =>
    renderMesh(before, family) !== renderMesh(after, family) || before.routerId !== after.routerId;
  const isKept = (name: string): boolean => old.get(name) === next.get(name);
  return [
    ...before.peers.filter(
      ({ address }) => !isKept(meshProtocolName(address)) || hasOtherMesh(familyOf(address)),
    ),
    ...(before.sessions ?? []).filter(
      ({ address }) => !isKept(sessionProtocolName(address)) || before.routerId !== after.routerId,
    ),
  ].map(({ address }) => address);
}

function renderGlobal(input: BirdInput): string {
  const { nodeName, routerId, gracefulRestartSeconds, logFile } = input;
  checkRange("graceful restart time", gracefulRestartSeconds, 4095);
  return `
# Written by Margay; changes made here are lost.
log ${quote(logFile)} ${LOG_BYTES} ${quote(`${logFile}.1`)} ${LOG_CLASSES[input.logLevel ?? "Info"]};
hostname ${quote(nodeName)};
router id ${routerId};
timeformat protocol iso long ms;
graceful restart wait ${RECOVERY_SECONDS};

# Margay hears of sessions that come and go by these lines, on its control connection.
debug protocols { states };
`;
}

const LOG_CLASSES: Readonly<Record<NonNullable<BirdInput["logLevel"]>, string>> = {
  Trace: "all",
  Debug: "all",
  Info: "all",
  Warning: "{ warning, error, auth, fatal, bug }",
  Error: "{ error, auth, fatal, bug }",
  Fatal: "{ fatal, bug }",
};

/** Sessions that use it say by which times. Its sessions come and go by events, which Margay hears of as of states. */
function renderBfd({ sessions = [] }: BirdInput): string {
  if (!sessions.some(({ bfd }) => bfd !== undefined)) return "";
  return `
protocol bfd {
  debug { states, events };
}
`;
}

/** BIRD has one session at most for each address. */
function checkAddresses({ nodeAddress, nodeAddress6, peers, sessions = [] }: BirdInput): void {
  const seen = new Set([nodeAddress, nodeAddress6]);
  for (const { name, address } of [...peers, ...sessions]) {
    if (seen.has(address))
      throw new RangeError(`Cannot peer with "${name}": its address "${address}" is another node's`);
    seen.add(address);
  }
}

function byAddress<T extends BirdPeer | BirdSession>(peers: readonly T[]): readonly T[] {
  return peers.toSorted((a, b) => familyOf(a.address) - familyOf(b.address) || compare(a.address, b.address));
}
