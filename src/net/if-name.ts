// SPDX-License-Identifier: Apache-2.0

/** A network interface name that the kernel accepts. */
export type IfName = string & { readonly [ifNameBrand]: true };
declare const ifNameBrand: unique symbol;

/** `#define IFNAMSIZ 16` (linux/if.h), which counts the terminating zero. */
const MAX_BYTES = 15;

/**
 * Parses an interface name by the rules of `dev_valid_name()` (net/core/dev.c), narrowed to printable
 * ASCII. Throws `SyntaxError` with the rule that was broken.
 */
export function parseIfName(text: string): IfName {
  const fault = faultOf(text);
  if (fault !== undefined) throw new SyntaxError(`Cannot use interface name "${text}": ${fault}`);
  return text as IfName;
}

function faultOf(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (text.length > MAX_BYTES) return `it has ${text.length} characters, at most ${MAX_BYTES} are allowed`;
  if (text === "." || text === "..") return "it is a path";
  if (!/^[\x21-\x7e]+$/.test(text)) return "only printable ASCII without spaces is allowed";
  if (/[/:%]/.test(text)) return 'the characters "/", ":" and "%" are not allowed';
  return undefined;
}
