// SPDX-License-Identifier: Apache-2.0

/**
 * - `invalid`: what the person gave cannot be used, such as a topology or a name
 * - `absent`: there is no such lab, host or container
 * - `present`: it is there already
 * - `failed`: the machine or a program of the lab refused
 */
export type LabErrorCode = "invalid" | "absent" | "present" | "failed";

export class LabError extends Error {
  override readonly name = "LabError";
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
