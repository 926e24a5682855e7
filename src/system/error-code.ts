// SPDX-License-Identifier: Apache-2.0

/** Whether it is an error of the system (`errno(3)`) with one of the codes, such as `ENOENT`. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.some((code) => code === error.code);
}
