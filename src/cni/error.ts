// SPDX-License-Identifier: Apache-2.0

/** Error codes of the CNI specification (1.1.0, section 5, "Error"); 100 and up are Margay's own. */
export const CNI_ERRORS = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  /** STATUS: the node cannot attach containers now. */
  notAvailable: 50,
  /** STATUS: nor may the containers that run already reach everything. */
  limitedConnectivity: 51,
  /** No address is left; the message names the pool and the limit. */
  noAddress: 100,
  /** CHECK found the attachment other than ADD left it. */
  checkFailed: 101,
  /** The address asked for is somebody else's, or of no pool. */
  addressRefused: 102,
  /** Anything that should not have happened. */
  internal: 199,
} as const;

export type CniErrorKind = keyof typeof CNI_ERRORS;

/** A failure as a runtime is told of it. */
export class CniError extends Error {
  override readonly name = "CniError";
  readonly kind: CniErrorKind;
  readonly code: number;
  readonly details: string | undefined;

  constructor(
    kind: CniErrorKind,
    message: string,
    options: ErrorOptions & { readonly details?: string } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.code = CNI_ERRORS[kind];
    this.details = options.details;
  }

  /** The error object of the specification, to be printed on standard output. */
  render(cniVersion: string): object {
    const { code, message: msg, details } = this;
    return { cniVersion, code, msg, ...(details !== undefined && { details }) };
  }
}
