// SPDX-License-Identifier: Apache-2.0

/** The text as one word of a POSIX shell's command. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
