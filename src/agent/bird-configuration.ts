// SPDX-License-Identifier: Apache-2.0
import type { Bird } from "../bird/bird.ts";
import { type BirdInput, type BirdSession, renderBirdConfig } from "../bird/config/config.ts";
import { describeError } from "../system/log.ts";

/**
 * Has BIRD run with the input; where it refuses that on account of sessions that it would refuse even alone, with the others. Gives what it
 * refuses, in words; throws where that lies elsewhere.
 */
export async function configureBird(
  bird: Pick<Bird, "configure" | "check">,
  input: BirdInput,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const complaint = await attempt(bird, input, signal);
  if (complaint === undefined) return [];
  const { sessions = [] } = input;
  const faults = new Map<BirdSession, string>();
  for (const session of sessions) {
    const fault = await faultOf(bird, { ...input, peers: [], sessions: [session] }, signal);
    if (fault !== undefined) faults.set(session, fault);
  }
  const rest = { ...input, sessions: sessions.filter((session) => !faults.has(session)) };
  const left = faults.size === 0 ? complaint : await attempt(bird, rest, signal);
  if (left !== undefined) throw new Error(`BIRD refuses its configuration: ${left}`);
  return Array.from(
    faults,
    ([{ name, address }, fault]) =>
      `bgp: BIRD refuses BGPPeer "${name}" (${address}), which is left out: ${fault}`,
  );
}

/** BIRD's complaint, if it has one, or what keeps the input from being rendered. */
async function attempt(
  bird: Pick<Bird, "configure">,
  input: BirdInput,
  signal: AbortSignal,
): Promise<string | undefined> {
  const rendered = render(input);
  if (rendered.kind === "impossible") return rendered.why;
  const result = await bird.configure(rendered.text, { signal });
  return result.kind === "refused" ? orSilence(result.message) : undefined;
}

async function faultOf(
  bird: Pick<Bird, "check">,
  input: BirdInput,
  signal: AbortSignal,
): Promise<string | undefined> {
  const rendered = render(input);
  if (rendered.kind === "impossible") return rendered.why;
  const complaint = await bird.check(rendered.text, { signal });
  return complaint === undefined ? undefined : orSilence(complaint);
}

type Rendered =
  { readonly kind: "text"; readonly text: string } | { readonly kind: "impossible"; readonly why: string };

function render(input: BirdInput): Rendered {
  try {
    return { kind: "text", text: renderBirdConfig(input) };
  } catch (error) {
    return { kind: "impossible", why: describeError(error) };
  }
}

function orSilence(message: string): string {
  return message || "it does not say why";
}
