// SPDX-License-Identifier: Apache-2.0
import type { NodeStatus } from "../../agent/answers.ts";
import type { Session } from "../../bird/sessions.ts";
import { type Check, orWell, subject } from "../check.ts";
import type { BirdSeen, Known } from "../observation.ts";

/** Those that Margay's configuration is written for. */
const SUPPORTED = /^2\./;

/** Whether BIRD runs, and has a session with everybody that it is to speak with. */
export function judgeBgp(bird: Known<BirdSeen>, status: NodeStatus | undefined): readonly Check[] {
  const program = subject("BIRD", "control socket");
  if (bird.kind === "unknown") return [program.skipped(bird.reason)];
  const seen = bird.value;
  switch (seen.kind) {
    case "none":
      if (status === undefined)
        return [program.skipped("none runs; whether one is to, the agent alone knows")];
      return status.routeSource === "bird"
        ? [program.fault("it does not run", "see the agent's log for why it cannot be started")]
        : [program.ok("none runs; routes to other nodes come from the datastore")];
    case "dead":
      return [
        program.fault(
          `it ended unasked: ${seen.reason}`,
          "the agent starts it again as soon as it runs; bird/bird.log in its state directory says why BIRD ended",
        ),
      ];
    case "running":
      return [judgeBirdVersion(seen.version), ...judgeSessions(seen.sessions, status)];
  }
}

function judgeBirdVersion(version: string): Check {
  const checked = subject("BIRD", "version");
  if (SUPPORTED.test(version)) return checked.ok(version);
  return checked.warning(`${version} is not among the versions that are known to work`, "install BIRD 2");
}

function judgeSessions(sessions: readonly Session[], status: NodeStatus | undefined): readonly Check[] {
  const peers =
    status?.peers ?? sessions.map(({ name, peer }) => ({ what: `protocol ${name}`, address: peer }));
  const amiss = peers.flatMap(({ what, address }): readonly Check[] => {
    const session = sessions.find(({ peer }) => peer === address);
    if (session?.state === "Established") return [];
    const state = session?.state ?? "not configured";
    const error = session?.lastError === undefined ? "" : `, last error: ${session.lastError}`;
    return [
      subject("BGP session", `${what} (${address})`).fault(
        `${state}${error}`,
        'see there whether the machine, its agent and BIRD run ("margay doctor"), and that no firewall on the way drops TCP port 179',
      ),
    ];
  });
  return orWell(amiss, subject("BGP session", "all peers").ok(`${peers.length} established`));
}
