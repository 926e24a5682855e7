// SPDX-License-Identifier: Apache-2.0
// For tests: bytes as they lie on the wire, four a line, with a comment behind each.

/** Hex pairs to bytes; `//` begins a comment. */
export function wire(strings: TemplateStringsArray): Uint8Array {
  const text = strings.join("").replaceAll(/\/\/.*$/gm, "");
  return Uint8Array.from(text.split(/\s+/).filter(Boolean), (pair) => {
    if (!/^[0-9a-f]{2}$/.test(pair))
      throw new SyntaxError(`Cannot read wire bytes: "${pair}" is no hex pair`);
    return parseInt(pair, 16);
  });
}

/** Every proper beginning of the bytes, the empty one included. */
export function truncations(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from(bytes, (_, length) => bytes.slice(0, length));
}
