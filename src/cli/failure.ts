// SPDX-License-Identifier: Apache-2.0

/** What a person is told of an error that they can do something about: messages say what was done to what, and why not. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A bug, not a state of the machine: the place is worth more than the message.
  const isBug = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  return isBug ? (error.stack ?? error.message) : error.message;
}
