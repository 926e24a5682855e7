// SPDX-License-Identifier: Apache-2.0

/** Prints a result: as JSON where that was asked for, else as text for a person. */
export function print<T>(
  { json }: { readonly json?: boolean },
  value: T,
  render: (value: T) => string,
): void {
  process.stdout.write(`${json === true ? JSON.stringify(value, undefined, 2) : render(value)}\n`);
}
