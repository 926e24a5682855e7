// SPDX-License-Identifier: Apache-2.0

/**
 * What a rendered configuration has of passwords: every BGP protocol and template by its name, with its own password, or `undefined` where it
 * has none.
 */
export function renderedPasswords(text: string): ReadonlyMap<string, string | undefined> {
  const blocks = text.matchAll(/^(?:protocol|template) bgp (\S+)[^\n]*\{\n([^]*?)^\}$/gm);
  return new Map(
    Array.from(blocks, ([, name = "", body = ""]) => [name, /^ {2}password "([^"]*)";$/m.exec(body)?.[1]]),
  );
}
