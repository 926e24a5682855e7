// SPDX-License-Identifier: Apache-2.0

const LEFT_OUT = "(left out)";

/** BIRD's configuration without its passwords; BIRD's strings know no escapes, and end with the next quote or the line. */
export function redactBirdConfig(text: string): string {
  return text.replaceAll(/(\bpassword\s+)("[^"\n]*"?|[^\s;{]+)/gi, `$1"${LEFT_OUT}"`);
}

/** The passwords in BIRD's configuration. */
export function birdPasswords(text: string): readonly string[] {
  return Array.from(text.matchAll(/\bpassword\s+"([^"\n]+)"/gi), ([, password = ""]) => password);
}

/** The text without any of the secrets, whoever wrote them into it, as they are or within strings of JSON. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  const written = new Set(secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]));
  // The longest first: one may be part of another.
  const sorted = Array.from(written)
    .filter((secret) => secret !== "")
    .sort((a, b) => b.length - a.length);
  return sorted.reduce((kept, secret) => kept.replaceAll(secret, LEFT_OUT), text);
}
