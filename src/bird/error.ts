// SPDX-License-Identifier: Apache-2.0

/**
 * - `unavailable`: no BIRD answers, or the one that did has gone
 * - `refused`: BIRD answered with an error
 * - `unreadable`: BIRD answered with what cannot be read
 * - `start`: BIRD could not be started
 */
export type BirdErrorCode = "unavailable" | "refused" | "unreadable" | "start";

export class BirdError extends Error {
  override readonly name = "BirdError";
  readonly code: BirdErrorCode;

  constructor(code: BirdErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
